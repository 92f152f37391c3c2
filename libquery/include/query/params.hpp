#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <query/export.hpp>

namespace query {

/// The values bound to a statement's $1, $2 … They travel beside the SQL, never inside it.
///
/// Every value is sent in PostgreSQL's text form and takes the type that the statement gives its
/// parameter, so 7 may become an int8, a numeric or a text. PostgreSQL text cannot hold U+0000:
/// a text that contains it is refused with std::invalid_argument, never cut short.
///
///     Params::of(7, "text", nullptr, 1.5, true, std::vector{1, 2, 3})
///
/// Not thread-safe; owns copies of what is added.
class QUERY_EXPORT Params {
 public:
  Params() = default;

  /// The values in order; each argument is anything that an add() below takes.
  template <class... T>
  [[nodiscard]] static auto of(const T&... values) -> Params {
    Params params;
    (params.add(values), ...);
    return params;
  }

  auto add(std::nullptr_t) -> Params&;  ///< NULL
  auto add(std::same_as<bool> auto value) -> Params& { return add_text(value ? "true" : "false"); }
  template <std::integral T>
  requires(!std::same_as<T, bool>) auto add(T value) -> Params& {
    return add_text(std::to_string(value));
  }
  auto add(double value) -> Params&;  ///< shortest text that reads back the same; NaN, Infinity
  auto add(std::string_view text) -> Params& { return add_text(text); }
  auto add(const char* text) -> Params& { return add_text(text); }
  auto add(std::span<const std::byte> bytes) -> Params&;  ///< bytea

  /// NULL where empty.
  template <class T>
  auto add(const std::optional<T>& value) -> Params& {
    return value ? add(*value) : add(nullptr);
  }

  /// A one-dimensional array; std::optional elements may be NULL.
  template <class T>
  requires(!std::same_as<T, std::byte>) auto add(const std::vector<T>& array) -> Params& {
    Params elements;
    for (const T& element : array) {
      elements.add(element);
    }
    return add_array(elements);
  }

  /// JSON text that becomes what the parameter's type asks for: an array for an array type
  /// (`[1,[2]]` → `{1,{2}}`, a json[]'s elements stay JSON), the JSON itself for everything else.
  /// Numbers reach PostgreSQL exactly as written. PostgreSQL judges whether the JSON is valid.
  auto add_json(std::string_view json) -> Params&;

  [[nodiscard]] auto size() const noexcept -> std::size_t { return values_.size(); }
  [[nodiscard]] auto empty() const noexcept -> bool { return values_.empty(); }

  enum class Kind : std::uint8_t { kNull, kText, kJson };
  struct Value {
    Kind kind;
    std::string text;
  };
  [[nodiscard]] auto operator[](std::size_t index) const -> const Value& { return values_[index]; }

 private:
  auto add_text(std::string_view text) -> Params&;
  auto add_array(const Params& elements) -> Params&;

  std::vector<Value> values_;
};

}  // namespace query
