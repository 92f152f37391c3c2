#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <query/error.hpp>
#include <query/options.hpp>
#include <query/result.hpp>

#include "lease.hpp"

namespace query::detail {

/// A prepared statement was dropped by the user or outdated by DDL; nothing took effect, and the
/// same once more will be prepared anew.
class StaleStatement : public SqlError {
 public:
  using SqlError::SqlError;
  [[nodiscard]] auto retryable() const noexcept -> bool override { return true; }
};

/// How long the server may take to come to the end of a round that has failed.
inline constexpr std::chrono::milliseconds kDrainGrace{5000};

/// The dialogue that runs one statement, or a batch of them, and takes in what comes back.
///
/// It sends in rounds. A round is everything up to a Sync: as a rule the whole dialogue, with the
/// Parse of statements seen for the first time and the BEGIN and COMMIT around a transaction. Only
/// a statement whose JSON parameters wait for their types makes a round of its own.
/// `expected_` holds what the server has still to answer, in order.
class Answer {
 public:
  /// One statement, in a transaction of its own if `begin` is not empty. `statement` must stay
  /// until start() has returned.
  Answer(std::shared_ptr<Lease> lease, const Statement& statement, std::string begin,
         QueryOptions options);

  /// A batch, in the transaction that `begin` opens.
  Answer(std::shared_ptr<Lease> lease, std::vector<Statement> statements, std::string begin,
         QueryOptions options);

  ~Answer();
  Answer(const Answer&) = delete;
  auto operator=(const Answer&) -> Answer& = delete;

  /// How rows are taken in: in small portions, or a statement's at once. Where libpq's portions are
  /// single rows, at once is a twentieth of their memory and a third of the time to walk through.
  /// max_rows needs portions.
  enum class Intake : std::uint8_t { kPortions, kWhole };

  /// Sends, and reads up to the first statement's columns.
  void start(Intake intake);

  [[nodiscard]] auto next() -> std::optional<Block>;
  [[nodiscard]] auto next_statement() -> bool;

  [[nodiscard]] auto columns() const noexcept -> const std::vector<Column>& { return columns_; }
  [[nodiscard]] auto command() const noexcept -> const std::string& { return command_; }
  [[nodiscard]] auto affected() const noexcept -> std::optional<std::uint64_t> { return affected_; }
  [[nodiscard]] auto truncated() const noexcept -> bool { return truncated_; }
  [[nodiscard]] auto is_batch() const noexcept -> bool { return batch_; }
  [[nodiscard]] auto at_statement() const noexcept -> bool { return at_statement_; }

 private:
  enum class Step { kCommand, kPrepare, kDescribe, kRows, kGuard, kCommit, kSync };
  struct Expected {
    Step step;
    std::size_t statement;
  };

  // Sending.
  void send_round();
  auto send_statement(std::size_t index) -> bool;
  void send_begin();
  void send_guard(std::size_t index);
  void expect(Step step, std::size_t statement) { expected_.push_back({step, statement}); }

  // Receiving.
  auto advance_to_rows() -> bool;
  void take_step();
  void take_description(const PGresult* result, std::size_t index);
  void begin_rows();
  void take_tag(const PGresult* result);
  void end_rows(const PGresult* result);
  auto take_row() -> std::optional<Block>;
  void truncate();
  void finish();

  // Trouble.
  [[noreturn]] void fail(const PGresult* result);
  void refuse_impossible();
  [[noreturn]] void refuse_copy(std::size_t statement);
  [[noreturn]] void give_up(const OutOfPatience& end);
  auto cancel_and_drain() noexcept -> bool;
  auto receive_cancelling(Deadline grace) -> ResultHandle;
  void abandon_round() noexcept;
  void forget_unconfirmed(StatementCache::OnServer on_server);
  void leave_transaction();
  void done() noexcept;
  template <class F>
  auto patiently(F&& work) -> decltype(work());

  [[nodiscard]] auto session() noexcept -> Session& { return lease_->session(); }
  [[nodiscard]] auto in_envelope() const noexcept -> bool { return !begin_.empty(); }

  std::shared_ptr<Lease> lease_;
  std::vector<Statement> owned_;
  std::span<const Statement> statements_;
  std::string begin_;
  QueryOptions options_;
  Patience patience_;
  bool batch_;
  Intake intake_ = Intake::kPortions;
  bool inside_transaction_ = false;  // the caller's own

  std::deque<Expected> expected_;
  std::size_t sent_ = 0;  // statements sent
  bool begun_ = false;
  bool open_ = false;                                 // something may still come
  std::optional<std::vector<JsonTarget>> described_;  // where there is no statement cache

  std::vector<Column> columns_;
  std::optional<Block> pending_;  // the block that came with the columns
  bool at_statement_ = false;
  bool in_rows_ = false;
  std::uint64_t delivered_ = 0;
  std::string tag_;        // as libpq gives it
  std::string tag_count_;  // its row count
  std::string command_;
  std::optional<std::uint64_t> affected_;
  bool truncated_ = false;
};

}  // namespace query::detail
