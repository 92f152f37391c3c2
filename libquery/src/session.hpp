#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <query/error.hpp>
#include <query/pool.hpp>
#include <query/statement.hpp>

#include "cancel.hpp"
#include "libpq.hpp"
#include "statement_cache.hpp"
#include "wait.hpp"

namespace query::detail {

/// How to connect: libpq's keywords with ours added. Parsed once per pool.
class ConnectSettings {
 public:
  /// Throws std::invalid_argument where the connection string cannot be parsed.
  explicit ConnectSettings(const PoolOptions& options);

  std::vector<std::pair<std::string, std::string>> keywords;
  std::chrono::milliseconds timeout;
  std::size_t statement_cache;
  bool reset_session;
};

/// One connection to the server, always in pipeline mode and never blocking: commands are queued,
/// sync() ends a round and sends it, receive() takes in the answers one by one.
/// PostgreSQL manual, "Pipeline Mode".
///
/// Whoever queues a round reads its answers to the end, up to the result of its Sync. The only
/// exception are rounds that the session queues for itself (the reset, a rollback in passing);
/// settle() reads those. One thread at a time.
class Session {
 public:
  /// Throws ConnectionError, OutOfPatience.
  static auto open(const ConnectSettings& settings, const Patience& patience)
      -> std::unique_ptr<Session>;

  ~Session();
  Session(const Session&) = delete;
  auto operator=(const Session&) -> Session& = delete;

  // Queueing. Throws ConnectionError when libpq cannot; nothing waits.
  void queue_command(const char* sql);  ///< unprepared, no parameters
  void queue_query(const char* sql, const std::vector<const char*>& values);
  void queue_prepare(const std::string& name, const std::string& sql);
  void queue_describe(const std::string& name);
  void queue_execute(const std::string& name, const std::vector<const char*>& values);
  void sync();

  /// The next result of the round; null at the end of each command's results. A lost connection is
  /// a ConnectionError, a server's error is a result. Throws OutOfPatience.
  auto receive(const Patience& patience) -> ResultHandle;

  // For whoever waits elsewhere, in an event loop. Nothing here waits.

  [[nodiscard]] auto socket() const noexcept -> int;
  /// Sends what the socket takes; true where something is left. Throws ConnectionError.
  [[nodiscard]] auto give_out() -> bool;
  /// Takes in what has arrived; false where the connection is lost, as take_result() then tells.
  auto take_in() -> bool;
  /// Whether take_result() has something to give.
  [[nodiscard]] auto has_result() const noexcept -> bool;
  /// The next result, as receive().
  auto take_result() -> ResultHandle;

  /// Asks for rows in small portions for the command whose results come next.
  void stream_rows() noexcept;

  /// Reads the rest of the round away, up to the result of its Sync.
  void drain(const Patience& patience);

  /// One whole round with one command and no parameters; its last result. Throws SqlError.
  auto run(const char* sql, const Patience& patience) -> ResultHandle;

  /// Queues, and sends without waiting, a ROLLBACK as a round of its own, whose answer is read by
  /// the next settle().
  void roll_back_in_passing();

  /// Queues, and sends without waiting, what makes the session as new (postgres manual, DISCARD).
  void reset();

  /// Reads the answers of reset() and roll_back_in_passing(). Throws ConnectionError where the
  /// session could not be cleaned: it must be dropped then.
  void settle(const Patience& patience);

  /// Drops evicted prepared statements once they are many, for a lease that is never given back.
  /// Outside of a transaction only.
  void drop_evicted_statements(const Patience& patience);

  /// Which of these types are arrays, by the catalog. One round.
  auto array_types(const std::vector<Oid>& types, const Patience& patience) -> std::vector<Oid>;
  void queue_array_types(const std::vector<Oid>& types);
  [[nodiscard]] static auto array_types_of(const PGresult* answer) -> std::vector<Oid>;

  [[nodiscard]] auto statements() noexcept -> StatementCache& { return statements_; }

  /// The place to send a cancel request to, made on first use.
  [[nodiscard]] auto cancel_target() -> std::shared_ptr<CancelTarget>;

  /// Whether a cancel request may have been sent.
  [[nodiscard]] auto cancellable() const noexcept -> bool { return cancel_target_ != nullptr; }

  /// Ends the cancel target; false where the session must not be used again because of it.
  [[nodiscard]] auto release_cancel_target() noexcept -> bool;

  [[nodiscard]] auto transaction_status() const noexcept -> PGTransactionStatusType;
  [[nodiscard]] auto is_standby() const noexcept -> bool;

  /// Marks the session as not to be used again.
  void doubt() noexcept { sound_ = false; }
  [[nodiscard]] auto sound() const noexcept -> bool;

  /// The connection broke, and not by the server ending just this one session: the others to the
  /// same server are suspect too.
  [[nodiscard]] auto vanished() const noexcept -> bool { return vanished_; }

  /// Whether the server has hung up or said something while the connection was idle.
  [[nodiscard]] auto went_away() noexcept -> bool;

  /// What ended the connection, for a result or a failure without a SQLSTATE of its own.
  [[noreturn]] void throw_lost(Outcome outcome);

 private:
  explicit Session(std::size_t statement_cache) : statements_(statement_cache) {}

  void prepare_for_use();
  void flush(const Patience& patience);
  void require(int sent);
  void queue_quick_reset();
  void reset_anew();
  void queue_search_for_statements();
  void drop_statements(const std::vector<std::string>& names, const Patience& patience);
  static void remember_notice(void* session, const PGresult* notice);

  ConnectionHandle connection_;
  StatementCache statements_;
  std::size_t passing_ = 0;  // rounds queued for ourselves whose answers are not read yet
  std::shared_ptr<CancelTarget> cancel_target_;
  std::string last_words_;           // of a server that goes down: its last notice
  std::string last_words_sqlstate_;  // its SQLSTATE
  bool quick_reset_ = false;         // is on its way
  bool reset_prepared_ = false;      // its commands are, under their names
  bool check_prepared_ = false;      // its check is, as the unnamed statement
  bool sound_ = true;
  bool vanished_ = false;
};

}  // namespace query::detail
