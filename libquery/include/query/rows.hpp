#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <query/export.hpp>
#include <query/result.hpp>

namespace query {

namespace detail {
class Answer;
}

/// The answer to a query while it arrives: pull blocks of rows until there are none.
///
///     Rows rows = pool.query("select id, name from film");
///     while (auto block = rows.next()) { … }
///
/// Keeps its connection leased until it is destroyed. One thread at a time. Destroyed before the
/// end, it reads a short rest away, or cancels the query (which undoes what it has written), and
/// gives the connection back; one that does not come to rest within a second is dropped.
class QUERY_EXPORT Rows {
 public:
  explicit Rows(std::unique_ptr<detail::Answer> answer) noexcept;
  Rows(Rows&&) noexcept;
  auto operator=(Rows&&) noexcept -> Rows&;
  Rows(const Rows&) = delete;
  auto operator=(const Rows&) -> Rows& = delete;
  ~Rows();

  /// The columns, known before the first row. Empty for a statement that returns no rows.
  [[nodiscard]] auto columns() const noexcept -> const std::vector<Column>&;

  /// The next rows; nothing when the statement is complete and, unless it is one of a batch, its
  /// effects are final. Throws SqlError, Timeout, Interrupted, ConnectionError.
  [[nodiscard]] auto next() -> std::optional<Block>;

  /// After next() gave nothing: the command (`SELECT`, `INSERT`, `CREATE TABLE`).
  [[nodiscard]] auto command() const noexcept -> const std::string&;

  /// After next() gave nothing: the number of rows returned or changed, empty for a command that
  /// does not count.
  [[nodiscard]] auto affected() const noexcept -> std::optional<std::uint64_t>;

  /// QueryOptions::max_rows cut the answer.
  [[nodiscard]] auto truncated() const noexcept -> bool;

  /// Whether this is a batch's answer.
  [[nodiscard]] auto is_batch() const noexcept -> bool;

  /// Whether there is a statement to read: false behind the last one of a batch, and at once in an
  /// empty batch.
  [[nodiscard]] auto at_statement() const noexcept -> bool;

  /// In a batch: goes on to the next statement, dropping what is left of this one; false when all
  /// are done and the transaction is committed. Throws as next().
  [[nodiscard]] auto next_statement() -> bool;

  /// Reads the rest of the current statement into memory. Throws as next().
  [[nodiscard]] auto collect() -> Result;

 private:
  std::unique_ptr<detail::Answer> answer_;
};

}  // namespace query
