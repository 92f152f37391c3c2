#include "pipeline_dialogue.hpp"

#include <chrono>
#include <iterator>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "command_tag.hpp"
#include "diagnostics.hpp"
#include "first_word.hpp"

namespace query::detail {

namespace {

/// The server has the next round at hand when it ends one, and what comes meanwhile gathers.
constexpr std::size_t kMostSharedRounds = 2;

void refuse_impossible(const Statement& statement) {
  if (statement.sql.find('\0') != std::string::npos) {
    throw std::invalid_argument("the SQL contains U+0000, which PostgreSQL does not accept");
  }
  // By the time that the server's answer shows it, what stands behind it is on its way.
  if (first_word(statement.sql) == "copy") {
    throw std::invalid_argument("COPY is not possible in a pipeline");
  }
}

auto result_of(ResultHandle handle) -> Result {
  Result result;
  PGresult* const rows = handle.get();
  CommandTag tag(PQcmdStatus(rows), PQcmdTuples(rows));
  result.command = std::move(tag.command);
  result.affected = tag.affected;
  const int width = PQnfields(rows);
  result.columns.reserve(static_cast<std::size_t>(width));
  for (int i = 0; i < width; ++i) {
    result.columns.push_back({.name = PQfname(rows, i), .oid = PQftype(rows, i)});
  }
  if (PQntuples(rows) > 0) {
    result.blocks.emplace_back(std::move(handle));
  }
  return result;
}

}  // namespace

PipelineDialogue::PipelineDialogue(std::shared_ptr<Lease> lease,
                                   Pipeline::Transactions transactions)
    : lease_(std::move(lease)),
      shared_(transactions == Pipeline::Transactions::kShared),
      most_rounds_(shared_ ? kMostSharedRounds : std::numeric_limits<std::size_t>::max()) {
  constexpr std::chrono::milliseconds kGrace{2000};  // for what was sent in passing
  lease_->require_idle();
  try {
    session().settle(Patience(after(kGrace)));
  } catch (const OutOfPatience&) {
    session().throw_lost(Outcome::kNothingSent);
  }
  lease_->answering = true;
}

PipelineDialogue::~PipelineDialogue() {
  if (!expected_.empty()) {
    session().doubt();
  }
  lease_->answering = false;
}

auto PipelineDialogue::submit(Statement statement) -> std::uint64_t {
  if (lost_) {
    std::rethrow_exception(lost_);
  }
  refuse_impossible(statement);
  lease_->note(statement.sql, true);
  waiting_.push_back({.number = ++submitted_, .statement = std::move(statement)});
  return submitted_;
}

void PipelineDialogue::advance() {
  guarded([this] {
    send_waiting();  // first, for taking in would send a round that has not ended
    bool alive = session().take_in();
    // Once lost, libpq still hands out what had arrived, then the reason.
    while (!expected_.empty() && (!alive || session().has_result())) {
      take(session().take_result());
      alive = alive && session().sound();
    }
    if (!alive) {
      session().throw_lost(Outcome::kNothingSent);
    }
    drop_evicted();
    send_waiting();
  });
}

auto PipelineDialogue::next() -> std::optional<PipelineAnswer> {
  if (finished_.empty()) {
    return std::nullopt;
  }
  PipelineAnswer answer = std::move(finished_.front());
  finished_.pop_front();
  return answer;
}

// Sending.

void PipelineDialogue::send_waiting() {
  while (!waiting_.empty() && !asked_ && rounds_ < most_rounds_) {
    Task task = std::move(waiting_.front());
    waiting_.pop_front();
    try {
      send(task);
    } catch (const std::invalid_argument&) {  // a parameter that is no array; nothing was queued
      finished_.push_back({task.number, {}, std::current_exception()});
    }
  }
  end_round();
  more_to_give_ = session().give_out();
}

/// Queues a task; or, where its parameters' types are not known, the question for them.
void PipelineDialogue::send(Task& task) {
  StatementCache& cache = session().statements();
  // What is healed goes unprepared, so that a Parse that failed cannot hide behind a lost plan.
  const bool prepares = cache.enabled() && !task.healed;
  PreparedStatement* prepared = prepares ? cache.find(task.statement.sql) : nullptr;
  const Params& params = task.statement.params;
  const std::vector<JsonTarget>* targets = nullptr;
  if (has_json(params)) {
    if (task.params) {
      targets = &task.params->targets;
    } else if (prepared != nullptr && prepared->targets) {
      targets = &*prepared->targets;
    } else {
      return ask_types(std::move(task));
    }
  }
  // Converted before anything is queued: what cannot be must leave no trace.
  const BoundValues values(params, targets);
  if (prepares && prepared == nullptr) {
    prepared = &cache.insert(task.statement.sql);
    if (task.params) {
      prepared->targets = task.params->targets;
    }
    queue(Step::kPrepare, [&] { session().queue_prepare(prepared->name, task.statement.sql); });
  }
  queue(Step::kRows, [&] {
    if (prepared != nullptr) {
      session().queue_execute(prepared->name, values.pointers());
    } else {
      session().queue_query(task.statement.sql.c_str(), values.pointers());
    }
  });
  sent_.push_back(std::move(task));
  round_open_ = true;
  if (!shared_) {
    end_round();
  }
}

/// With the unnamed statement: what cannot be prepared leaves nothing to be forgotten.
void PipelineDialogue::ask_types(Task task) {
  end_round();
  queue(Step::kAskPrepare, [&] { session().queue_prepare("", task.statement.sql); });
  queue(Step::kAskDescribe, [this] { session().queue_describe(""); });
  sync(Step::kAskSync);
  asked_.emplace(std::move(task));
}

/// Takes statements away from the server that fell out of the cache, many at a time.
void PipelineDialogue::drop_evicted() {
  constexpr std::size_t kMany = 64;
  std::vector<std::string>& evicted = session().statements().evicted();
  if (evicted.size() < kMany) {
    return;
  }
  end_round();
  for (const std::string& name : std::exchange(evicted, {})) {
    queue(Step::kPassing, [&] { session().queue_command(("DEALLOCATE " + name).c_str()); });
    sync(Step::kPassingSync);  // one that is not there must not keep the others
  }
}

void PipelineDialogue::end_round() {
  if (round_open_) {
    round_open_ = false;
    ++rounds_;
    sync(Step::kSync);
  }
}

void PipelineDialogue::sync(Step step) {
  queue(step, [this] { session().sync(); });
}

template <class Send>
void PipelineDialogue::queue(Step step, Send send) {
  send();
  expected_.push_back(step);
}

// Receiving.

void PipelineDialogue::take(ResultHandle result) {
  if (!result) {
    return;  // behind each command's results
  }
  const Step step = expected_.front();
  expected_.pop_front();
  switch (step) {
    case Step::kPrepare:
      return take_prepared(sent_[answered_], result.get());
    case Step::kRows:
      return take_rows(sent_[answered_++], std::move(result));
    case Step::kSync:
      return finish_round();
    case Step::kAskPrepare:
    case Step::kAskDescribe:
    case Step::kAskTypes:
      return take_description(*asked_, step, result.get());
    case Step::kAskSync:
      return finish_question();
    case Step::kPassing:
    case Step::kPassingSync:
      return;
  }
}

void PipelineDialogue::take_prepared(Task& task, const PGresult* result) const {
  if (PQresultStatus(result) != PGRES_COMMAND_OK) {
    session().statements().erase(task.statement.sql, StatementCache::OnServer::kNo);
  }
  if (PQresultStatus(result) == PGRES_FATAL_ERROR) {
    task.error = std::make_exception_ptr(SqlError(diagnostics_of(result)));
  }
}

void PipelineDialogue::take_rows(Task& task, ResultHandle result) {
  switch (PQresultStatus(result.get())) {
    case PGRES_PIPELINE_ABORTED:
      task.aborted = !task.error;
      break;
    case PGRES_FATAL_ERROR:
      take_error(task, diagnostics_of(result.get()));
      break;
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
      session().throw_lost(Outcome::kUnknown);  // a pipeline cannot get out of COPY
    default:
      task.result = result_of(std::move(result));
      task.error = nullptr;
  }
}

void PipelineDialogue::take_error(Task& task, Diagnostics diagnostics) const {
  constexpr std::string_view kInFailedTransaction = "25P02";
  if (task.healed && diagnostics.sqlstate == kInFailedTransaction) {
    return;  // the caller's own transaction had ended with the first error, which tells more
  }
  task.stale = !task.healed && is_lost_plan(diagnostics);
  if (task.stale) {
    session().statements().erase(task.statement.sql, StatementCache::OnServer::kMaybe);
  }
  task.error = std::make_exception_ptr(SqlError(std::move(diagnostics)));
}

void PipelineDialogue::finish_round() {
  --rounds_;
  std::deque<Task> again;
  for (; answered_ > 0; --answered_) {
    Task& task = sent_.front();
    if (task.stale || task.aborted) {
      task.healed = task.healed || task.stale;
      task.stale = task.aborted = false;
      again.push_back(std::move(task));
    } else {
      finished_.push_back({task.number, std::move(task.result), std::move(task.error)});
    }
    sent_.pop_front();
  }
  waiting_.insert(waiting_.begin(), std::make_move_iterator(again.begin()),
                  std::make_move_iterator(again.end()));
}

void PipelineDialogue::take_description(Task& task, Step step, const PGresult* result) {
  if (PQresultStatus(result) == PGRES_FATAL_ERROR) {
    task.error = std::make_exception_ptr(SqlError(diagnostics_of(result)));
  } else if (step == Step::kAskDescribe && !task.error) {
    task.params.emplace(result);
  } else if (step == Step::kAskTypes) {
    task.params->learn(Session::array_types_of(result));
    task.params->unknown.clear();
  }
}

void PipelineDialogue::finish_question() {
  Task& task = *asked_;
  if (!task.error && !task.params->unknown.empty()) {
    queue(Step::kAskTypes, [&] { session().queue_array_types(task.params->unknown); });
    return sync(Step::kAskSync);
  }
  if (task.error) {
    finished_.push_back({task.number, {}, std::move(task.error)});
  } else {
    waiting_.push_front(std::move(task));
  }
  asked_.reset();
}

// Trouble.

template <class Work>
void PipelineDialogue::guarded(Work work) {
  if (lost_) {
    return;
  }
  try {
    work();
  } catch (const ConnectionError&) {
    lose(std::current_exception());
  }
}

void PipelineDialogue::lose(std::exception_ptr error) {
  lost_ = std::move(error);
  if (asked_) {
    sent_.push_back(std::move(*asked_));
    asked_.reset();
  }
  for (std::deque<Task>* tasks : {&sent_, &waiting_}) {
    for (const Task& task : *tasks) {
      finished_.push_back({task.number, {}, lost_});
    }
    tasks->clear();
  }
  expected_.clear();
  session().doubt();
}

}  // namespace query::detail
