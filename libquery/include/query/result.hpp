#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <query/export.hpp>
#include <query/statement.hpp>

struct pg_result;  // libpq's PGresult

namespace query {

namespace detail {
struct QUERY_EXPORT ResultDeleter {
  void operator()(pg_result* result) const noexcept;
};
using ResultHandle = std::unique_ptr<pg_result, ResultDeleter>;
}  // namespace detail

/// Some consecutive rows of an answer, in PostgreSQL's text form, straight from libpq's memory.
///
/// Immutable. The views it gives live as long as it does. Indices are 0-based and not checked.
class QUERY_EXPORT Block {
 public:
  explicit Block(detail::ResultHandle rows) noexcept;

  [[nodiscard]] auto rows() const noexcept -> std::size_t { return rows_; }
  [[nodiscard]] auto columns() const noexcept -> std::size_t { return columns_; }
  [[nodiscard]] auto is_null(std::size_t row, std::size_t column) const noexcept -> bool;

  /// The value's text; empty for NULL.
  [[nodiscard]] auto text(std::size_t row, std::size_t column) const noexcept -> std::string_view;

  /// The value, or nothing for NULL. T is bool, an integer, double or std::string. Throws
  /// std::invalid_argument where the text is no T, std::out_of_range where it does not fit.
  template <class T>
  [[nodiscard]] auto get(std::size_t row, std::size_t column) const -> std::optional<T>;

  /// The same block, cut to its first `count` rows.
  [[nodiscard]] auto first(std::size_t count) && noexcept -> Block {
    rows_ = count < rows_ ? count : rows_;
    return std::move(*this);
  }

  /// libpq's own handle, for code that is written against libpq. Still owned by the block.
  [[nodiscard]] auto handle() const noexcept -> const pg_result* { return result_.get(); }

 private:
  detail::ResultHandle result_;
  std::size_t rows_;
  std::size_t columns_;
};

extern template auto Block::get<bool>(std::size_t, std::size_t) const -> std::optional<bool>;
extern template auto Block::get<std::int16_t>(std::size_t, std::size_t) const
    -> std::optional<std::int16_t>;
extern template auto Block::get<std::int32_t>(std::size_t, std::size_t) const
    -> std::optional<std::int32_t>;
extern template auto Block::get<std::int64_t>(std::size_t, std::size_t) const
    -> std::optional<std::int64_t>;
extern template auto Block::get<double>(std::size_t, std::size_t) const -> std::optional<double>;
extern template auto Block::get<std::string>(std::size_t, std::size_t) const
    -> std::optional<std::string>;

/// A whole answer in memory: what Connection::execute and Connection::batch return.
struct Result {
  std::vector<Column> columns;  ///< empty for a statement that returns no rows
  std::vector<Block> blocks;    ///< the rows, in order
  std::string command;          ///< SELECT, INSERT, CREATE TABLE …
  std::optional<std::uint64_t>
      affected;            ///< rows returned or changed; empty where that has no sense
  bool truncated = false;  ///< QueryOptions::max_rows cut it

  /// How many rows the blocks hold.
  [[nodiscard]] auto rows() const noexcept -> std::size_t {
    std::size_t count = 0;
    for (const Block& block : blocks) {
      count += block.rows();
    }
    return count;
  }

  /// The value at a row and column of the whole answer, as Block::get. Throws std::out_of_range.
  template <class T>
  [[nodiscard]] auto get(std::size_t row, std::size_t column) const -> std::optional<T> {
    for (const Block& block : blocks) {
      if (row < block.rows()) {
        if (column >= block.columns()) {
          break;
        }
        return block.get<T>(row, column);
      }
      row -= block.rows();
    }
    throw std::out_of_range("query::Result::get: no such row or column");
  }
};

}  // namespace query
