#include <query/result.hpp>

#include <charconv>
#include <concepts>
#include <stdexcept>
#include <type_traits>

#include "libpq.hpp"

namespace query {

namespace detail {

void ResultDeleter::operator()(pg_result* result) const noexcept { PQclear(result); }

}  // namespace detail

namespace {

template <class T>
auto parse(std::string_view text) -> T {
  if constexpr (std::same_as<T, std::string>) {
    return std::string(text);
  } else if constexpr (std::same_as<T, bool>) {
    if (text != "t" && text != "f") {
      throw std::invalid_argument("query::Block::get: not a boolean: " + std::string(text));
    }
    return text == "t";
  } else {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc::result_out_of_range) {
      throw std::out_of_range("query::Block::get: does not fit the type: " + std::string(text));
    }
    if (error != std::errc{} || end != text.data() + text.size()) {
      throw std::invalid_argument("query::Block::get: not a number: " + std::string(text));
    }
    return value;
  }
}

}  // namespace

Block::Block(detail::ResultHandle rows) noexcept
    : result_(std::move(rows)),
      rows_(static_cast<std::size_t>(PQntuples(result_.get()))),
      columns_(static_cast<std::size_t>(PQnfields(result_.get()))) {}

auto Block::is_null(std::size_t row, std::size_t column) const noexcept -> bool {
  return PQgetisnull(result_.get(), static_cast<int>(row), static_cast<int>(column)) != 0;
}

auto Block::text(std::size_t row, std::size_t column) const noexcept -> std::string_view {
  const auto r = static_cast<int>(row);
  const auto c = static_cast<int>(column);
  return {PQgetvalue(result_.get(), r, c),
          static_cast<std::size_t>(PQgetlength(result_.get(), r, c))};
}

template <class T>
auto Block::get(std::size_t row, std::size_t column) const -> std::optional<T> {
  if (is_null(row, column)) {
    return std::nullopt;
  }
  return parse<T>(text(row, column));
}

template QUERY_EXPORT auto Block::get<bool>(std::size_t, std::size_t) const -> std::optional<bool>;
template QUERY_EXPORT auto Block::get<std::int16_t>(std::size_t, std::size_t) const
    -> std::optional<std::int16_t>;
template QUERY_EXPORT auto Block::get<std::int32_t>(std::size_t, std::size_t) const
    -> std::optional<std::int32_t>;
template QUERY_EXPORT auto Block::get<std::int64_t>(std::size_t, std::size_t) const
    -> std::optional<std::int64_t>;
template QUERY_EXPORT auto Block::get<double>(std::size_t, std::size_t) const
    -> std::optional<double>;
template QUERY_EXPORT auto Block::get<std::string>(std::size_t, std::size_t) const
    -> std::optional<std::string>;

}  // namespace query
