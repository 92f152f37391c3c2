#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>

#include <query/connection.hpp>
#include <query/export.hpp>
#include <query/result.hpp>
#include <query/statement.hpp>

namespace query {

namespace detail {
class PipelineDialogue;
}

/// What became of one statement of a Pipeline.
struct PipelineAnswer {
  std::uint64_t number = 0;    ///< as Pipeline::submit() gave it
  Result result{};             ///< whole; empty where there is an error
  std::exception_ptr error{};  ///< a SqlError, ConnectionError or std::invalid_argument, or null
};

/// Many statements under way on one connection, from a thread that never waits: for programs with
/// an event loop of their own. PostgreSQL manual, "Pipeline Mode".
///
///     query::Pipeline pipeline(pool.acquire());
///     pipeline.submit({"select * from film where id = $1", query::Params::of(7)});
///     …                                     // many more
///     pipeline.advance();                   // sends; then again whenever poll() says so of
///     pollfd{pipeline.socket(), pipeline.wants_to_write() ? POLLIN | POLLOUT : POLLIN}
///     while (auto answer = pipeline.next()) …
///
/// They run one after the other, in one session that is not reset between them: a SET, a BEGIN or
/// a temporary table reaches the statements behind it. One's error is not another's. Answers come
/// in the order of submission, but a statement that has to be run once more comes later: one whose
/// plan DDL had outdated, or one of a shared transaction that another's error ended.
///
/// Statements are prepared and kept as by Connection. A statement with Params::add_json() whose
/// types are not known yet makes those behind it wait for one round trip or two.
///
/// One thread at a time. Keeps the connection leased. There are no deadlines: whoever has one uses
/// canceller() and `statement_timeout`. Destroyed with statements under way, it drops the
/// connection, and nobody knows which of them took effect.
class QUERY_EXPORT Pipeline {
 public:
  enum class Transactions {
    /// Each statement is a transaction of its own.
    kOwn,
    /// Statements that are sent together share one transaction, which about halves what a small
    /// one costs. Only for statements without effects: an error undoes the transaction, and those
    /// behind it are run again. now() is the same for all in it.
    kShared,
  };

  /// Waits, 2 s at most, for what the connection still had to do. Throws ConnectionError where
  /// it is lost, std::logic_error where its Rows are still open.
  explicit Pipeline(Connection connection, Transactions transactions = Transactions::kOwn);
  Pipeline(Pipeline&&) noexcept;
  auto operator=(Pipeline&&) noexcept -> Pipeline&;
  Pipeline(const Pipeline&) = delete;
  auto operator=(const Pipeline&) -> Pipeline& = delete;
  ~Pipeline();

  /// Queues a statement, which advance() will send, and returns its number: 1, 2, 3 …
  /// Throws std::invalid_argument for what cannot be sent (U+0000, COPY, too many parameters),
  /// ConnectionError once the connection is lost.
  auto submit(Statement statement) -> std::uint64_t;

  /// Sends and takes in what can be without waiting. A lost connection is the error of every
  /// statement under way; it is not thrown.
  void advance();

  /// The next answer that has arrived.
  [[nodiscard]] auto next() -> std::optional<PipelineAnswer>;

  /// What to poll: the same as long as the connection is usable().
  [[nodiscard]] auto socket() const noexcept -> int;

  /// Poll for writing too: the server has not taken all that was submitted.
  [[nodiscard]] auto wants_to_write() const noexcept -> bool;

  /// Statements whose answer has not arrived.
  [[nodiscard]] auto pending() const noexcept -> std::size_t;

  /// False once the connection is lost.
  [[nodiscard]] auto usable() const noexcept -> bool;

  /// Cancels whichever statement runs when the request arrives.
  [[nodiscard]] auto canceller() const -> Canceller;

 private:
  std::unique_ptr<detail::PipelineDialogue> dialogue_;
};

}  // namespace query
