#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <optional>

#include <query/pipeline.hpp>

#include "bound_values.hpp"
#include "lease.hpp"

namespace query::detail {

/// The dialogue behind a Pipeline: statements in, answers out, nothing waits.
///
/// `waiting_` is what could not be sent yet, `asked_` one whose parameters' types are asked for,
/// `sent_` what the server has still to answer. `expected_` holds the steps of its answers, in
/// order; a round is what ends with a Sync.
class PipelineDialogue {
 public:
  PipelineDialogue(std::shared_ptr<Lease> lease, Pipeline::Transactions transactions);
  PipelineDialogue(const PipelineDialogue&) = delete;
  auto operator=(const PipelineDialogue&) -> PipelineDialogue& = delete;
  ~PipelineDialogue();

  auto submit(Statement statement) -> std::uint64_t;
  void advance();
  [[nodiscard]] auto next() -> std::optional<PipelineAnswer>;

  [[nodiscard]] auto session() const noexcept -> Session& { return lease_->session(); }
  [[nodiscard]] auto wants_to_write() const noexcept -> bool { return more_to_give_; }
  [[nodiscard]] auto pending() const noexcept -> std::size_t {
    return waiting_.size() + sent_.size() + (asked_ ? 1 : 0);
  }
  [[nodiscard]] auto usable() const noexcept -> bool { return lost_ == nullptr; }

 private:
  enum class Step : std::uint8_t {
    kPrepare,  // of sent_[answered_]
    kRows,     // likewise, and its last
    kSync,
    kAskPrepare,  // of asked_
    kAskDescribe,
    kAskTypes,
    kAskSync,
    kPassing,  // what the session needs for itself
    kPassingSync
  };

  struct Task {
    std::uint64_t number = 0;
    Statement statement;
    std::optional<DescribedParams> params{};
    Result result{};
    std::exception_ptr error{};
    bool aborted = false;  ///< by another's error: nothing ran
    bool stale = false;    ///< its plan was gone or outdated: nothing ran
    bool healed = false;   ///< it is run again because of that
  };

  // Sending.
  void send_waiting();
  void send(Task& task);
  void ask_types(Task task);
  void drop_evicted();
  void end_round();
  void sync(Step step);
  template <class Send>
  void queue(Step step, Send send);

  // Receiving.
  void take(ResultHandle result);
  void take_prepared(Task& task, const PGresult* result) const;
  void take_rows(Task& task, ResultHandle result);
  void take_error(Task& task, Diagnostics diagnostics) const;
  void finish_round();
  static void take_description(Task& task, Step step, const PGresult* result);
  void finish_question();

  // Trouble.
  template <class Work>
  void guarded(Work work);
  void lose(std::exception_ptr error);

  std::shared_ptr<Lease> lease_;
  const bool shared_;
  const std::size_t most_rounds_;
  std::uint64_t submitted_ = 0;
  std::deque<Task> waiting_;
  std::optional<Task> asked_;
  std::deque<Task> sent_;
  std::size_t answered_ = 0;  // of sent_'s first, since the last Sync
  bool round_open_ = false;   // something was queued behind the last Sync
  std::size_t rounds_ = 0;    // sent, not finished
  std::deque<Step> expected_;
  std::deque<PipelineAnswer> finished_;
  bool more_to_give_ = false;
  std::exception_ptr lost_;
};

}  // namespace query::detail
