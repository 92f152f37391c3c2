#pragma once

#include <memory>
#include <span>
#include <vector>

#include <query/export.hpp>
#include <query/options.hpp>
#include <query/rows.hpp>
#include <query/statement.hpp>

namespace query {

namespace detail {
class Lease;
class CancelTarget;
}  // namespace detail
class Pipeline;

/// Asks PostgreSQL to cancel what a connection runs at the moment. Copyable, usable from any
/// thread, harmless when nothing runs or when the connection has gone back to its pool.
class QUERY_EXPORT Canceller {
 public:
  explicit Canceller(std::shared_ptr<detail::CancelTarget> target) noexcept;

  /// True when the request was delivered; the query then ends with SqlError 57014 unless it was
  /// faster. Waits for the delivery, `deadline` at most. Does not throw.
  auto cancel(Deadline deadline = after(std::chrono::seconds(5))) const noexcept -> bool;

 private:
  std::shared_ptr<detail::CancelTarget> target_;
};

/// A transaction block. Rolls back when destroyed unless commit() was called.
/// The same thread rule as its connection, which it keeps leased.
class QUERY_EXPORT Transaction {
 public:
  explicit Transaction(std::shared_ptr<detail::Lease> lease) noexcept;
  Transaction(Transaction&&) noexcept;
  auto operator=(Transaction&&) noexcept -> Transaction&;
  Transaction(const Transaction&) = delete;
  auto operator=(const Transaction&) -> Transaction& = delete;
  ~Transaction();

  /// As Connection::query, inside the transaction. `read_only` of the options must be false:
  /// it is the whole transaction that is read only, or not.
  [[nodiscard]] auto query(const Statement& statement, const QueryOptions& options = {}) -> Rows;

  /// As Connection::execute, inside the transaction.
  auto execute(const Statement& statement, const QueryOptions& options = {}) -> Result;

  /// Throws SqlError where PostgreSQL could not commit (a deferred constraint, 40001, or 25P02
  /// when an earlier error had aborted the transaction). ConnectionError or Timeout with
  /// outcome_unknown() when the answer to the COMMIT was lost.
  void commit(Deadline deadline = never);
  void rollback(Deadline deadline = never);

 private:
  std::shared_ptr<detail::Lease> lease_;
};

/// A connection on loan from a Pool: goes back when it and everything made from it is destroyed.
/// The session is reset before anybody else gets it; a broken one is never used again.
///
/// Move-only, one thread at a time. A call while a Rows of this connection is still open throws
/// std::logic_error.
class QUERY_EXPORT Connection {
 public:
  explicit Connection(std::shared_ptr<detail::Lease> lease) noexcept;
  Connection(Connection&&) noexcept;
  auto operator=(Connection&&) noexcept -> Connection&;
  Connection(const Connection&) = delete;
  auto operator=(const Connection&) -> Connection& = delete;
  ~Connection();

  /// Sends one statement and returns its answer as a stream; the columns are known on return.
  /// Throws SqlError, Timeout, Interrupted, ConnectionError.
  [[nodiscard]] auto query(const Statement& statement, const QueryOptions& options = {}) -> Rows;

  /// Runs one statement and returns its whole answer.
  auto execute(const Statement& statement, const QueryOptions& options = {}) -> Result;

  /// Runs all statements in one transaction and one round trip: all of them or none. A statement
  /// that ends the transaction itself (COMMIT, ROLLBACK) fails the batch with 2D000, and nothing
  /// behind it runs. SqlError::statement() names the statement that failed.
  /// `options.read_only` is the transaction's; `max_rows` counts for each statement.
  auto batch(std::span<const Statement> statements, const TransactionOptions& transaction = {},
             const QueryOptions& options = {}) -> std::vector<Result>;

  /// The same as a stream: next_statement() goes from answer to answer. The effects are final
  /// when it has returned false.
  [[nodiscard]] auto query_batch(std::span<const Statement> statements,
                                 const TransactionOptions& transaction = {},
                                 const QueryOptions& options = {}) -> Rows;

  [[nodiscard]] auto begin(const TransactionOptions& transaction = {}, Deadline deadline = never)
      -> Transaction;

  [[nodiscard]] auto canceller() const -> Canceller;

 private:
  friend class Pipeline;  // takes the lease over

  std::shared_ptr<detail::Lease> lease_;
};

}  // namespace query
