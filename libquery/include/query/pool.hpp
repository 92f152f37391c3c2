#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <query/connection.hpp>
#include <query/export.hpp>

namespace query {

namespace detail {
class PoolCore;
}

struct PoolOptions {
  /// A libpq connection string or URI; what it leaves out comes from the PG* variables.
  /// PostgreSQL manual, "Connection Strings".
  std::string conninfo{};

  // How many, and how long to wait for one.
  std::size_t max_size = 10;                 ///< connections at most
  std::size_t max_waiting = 1024;            ///< callers that may wait; one more gets Busy at once
  std::chrono::milliseconds max_wait{2000};  ///< then Busy

  // How long connections live.
  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::seconds max_idle{300};       ///< an unused connection is closed after this
  std::chrono::seconds max_lifetime{1800};  ///< closed after this, give or take a tenth

  // What they do.
  std::size_t statement_cache = 256;  ///< prepared statements a connection keeps; 0: none
  bool reset_session = true;  ///< between leases; false only behind a pooler that does it itself
};

/// Counters since the pool was made, and sizes at the moment.
struct PoolStats {
  std::size_t size = 0;     ///< connections open or being opened
  std::size_t idle = 0;     ///< of these, free
  std::size_t waiting = 0;  ///< callers in the queue
  std::uint64_t acquired = 0;
  std::uint64_t waited = 0;  ///< acquisitions that had to queue
  std::uint64_t refused_busy = 0;
  std::uint64_t connected = 0;
  std::uint64_t connect_failed = 0;
  std::uint64_t discarded = 0;  ///< connections closed because they were broken or in doubt
  std::uint64_t expired = 0;    ///< connections closed because of max_idle or max_lifetime
  std::uint64_t resets = 0;
  std::uint64_t resets_skipped = 0;  ///< leases that provably left their session as it was
};

/// A bounded set of connections to one database, shared by all threads.
///
///     query::Pool pool({.conninfo = "postgresql:///app"});
///     auto result = pool.execute({"select * from film where id = $1", query::Params::of(7)});
///
/// Thread-safe. Leases, and what is made from them, may outlive the pool. Waiters are served in
/// the order they came; the connection used last is handed out first.
class QUERY_EXPORT Pool {
 public:
  /// Does not connect. Throws std::invalid_argument where the connection string cannot be parsed
  /// or an option makes no sense.
  explicit Pool(const PoolOptions& options);
  Pool(const Pool&) = delete;
  auto operator=(const Pool&) -> Pool& = delete;
  ~Pool();

  /// A connection, new or used. Throws Busy, ConnectionError, Timeout, Interrupted; only
  /// `deadline` and `interrupted` of the options count here.
  [[nodiscard]] auto acquire(const QueryOptions& options = {}) -> Connection;

  /// acquire() and Connection::query(); the Rows keep the connection.
  [[nodiscard]] auto query(const Statement& statement, const QueryOptions& options = {}) -> Rows;

  /// acquire() and Connection::execute().
  auto execute(const Statement& statement, const QueryOptions& options = {}) -> Result;

  /// acquire() and Connection::query_batch(); the Rows keep the connection.
  [[nodiscard]] auto query_batch(std::span<const Statement> statements,
                                 const TransactionOptions& transaction = {},
                                 const QueryOptions& options = {}) -> Rows;

  /// Whether a statement provably leaves its session as it was: it only reads, and all the code
  /// that it runs by name is built in and not volatile; what runs without being named (behind
  /// operators, casts, domains …) at least was declared not to be volatile. Such statements may
  /// share a session, and spare it the reset.
  ///
  /// Asks what is known of the catalog, never the server. What a statement of this pool changes in
  /// it, told by its first word, counts at once, and while its lease lasts nothing is proven; what
  /// others change, or functions and triggers, counts within 20 s. False where nothing is known
  /// yet, and now and then in between.
  [[nodiscard]] auto leaves_no_trace(std::string_view sql) -> bool;

  /// Counts up around each statement of this pool that may change the catalog. For whoever keeps a
  /// session for proven statements: when it has changed, one of them may have run after it was
  /// proven and before that was known, so the session has to go back and be reset.
  [[nodiscard]] auto catalog_changes() const noexcept -> std::uint64_t;

  [[nodiscard]] auto stats() const -> PoolStats;

  /// Closes idle connections now and the others when they come back; waiters and later callers
  /// get Busy. Idempotent.
  void close() noexcept;

  /// Closes idle connections; the pool goes on.
  void close_idle() noexcept;

 private:
  std::shared_ptr<detail::PoolCore> core_;
};

}  // namespace query
