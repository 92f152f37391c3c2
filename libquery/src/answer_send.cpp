// What an Answer sends: the rounds.
#include <stdexcept>
#include <vector>

#include "answer.hpp"
#include "bound_values.hpp"

namespace query::detail {

namespace {

// A batch's own transaction holds a savepoint, renewed behind each statement. It is gone once a
// statement has ended the transaction, and nothing a single statement does can bring it back, so
// the RELEASE then fails and the pipeline skips everything that follows. (A setting or a cursor
// would be cheaper, but a statement can make those outlive the transaction.) Being in a
// subtransaction also blocks SET TRANSACTION READ WRITE.
constexpr const char* kSetGuard = "SAVEPOINT libquery_guard";
constexpr const char* kCheckGuard = "RELEASE SAVEPOINT libquery_guard";

}  // namespace

void Answer::send_round() {
  try {
    if (in_envelope() && !begun_) {
      send_begin();
    }
    while (sent_ < statements_.size() && send_statement(sent_)) {
      if (batch_) {
        send_guard(sent_);
      }
      ++sent_;
    }
    if (sent_ == statements_.size() && in_envelope()) {
      session().queue_command("COMMIT");
      expect(Step::kCommit, sent_);
    }
  } catch (const std::invalid_argument&) {
    session().sync();
    forget_unconfirmed(StatementCache::OnServer::kMaybe);
    session().drain(patience_.until(after(kDrainGrace)));
    leave_transaction();
    done();
    throw;
  }
  session().sync();
  expect(Step::kSync, sent_);
}

void Answer::send_begin() {
  session().queue_command(begin_.c_str());
  expect(Step::kCommand, 0);
  session().queue_command(kSetGuard);
  expect(Step::kCommand, 0);
  begun_ = true;
}

void Answer::send_guard(std::size_t index) {
  session().queue_command(kCheckGuard);
  expect(Step::kGuard, index);
  session().queue_command(kSetGuard);
  expect(Step::kGuard, index);
}

/// False if the statement's parameter types must be asked for first; the question is queued then.
auto Answer::send_statement(std::size_t index) -> bool {
  const Statement& statement = statements_[index];
  StatementCache& cache = session().statements();
  const std::vector<JsonTarget>* targets = nullptr;
  if (has_json(statement.params)) {
    if (cache.enabled()) {
      PreparedStatement* prepared = cache.find(statement.sql);
      if (prepared == nullptr) {
        prepared = &cache.insert(statement.sql);
        session().queue_prepare(prepared->name, statement.sql);
        expect(Step::kPrepare, index);
      }
      if (!prepared->targets) {
        session().queue_describe(prepared->name);
        expect(Step::kDescribe, index);
        return false;
      }
      targets = &*prepared->targets;
    } else if (!described_) {
      session().queue_prepare("", statement.sql);
      expect(Step::kPrepare, index);
      session().queue_describe("");
      expect(Step::kDescribe, index);
      return false;
    } else {
      targets = &*described_;
    }
  }
  const BoundValues values(statement.params, targets);
  if (!cache.enabled()) {
    session().queue_query(statement.sql.c_str(), values.pointers());
  } else {
    const PreparedStatement* prepared = cache.find(statement.sql);
    if (prepared == nullptr) {
      prepared = &cache.insert(statement.sql);
      session().queue_prepare(prepared->name, statement.sql);
      expect(Step::kPrepare, index);
    }
    session().queue_execute(prepared->name, values.pointers());
  }
  expect(Step::kRows, index);
  described_.reset();
  return true;
}

}  // namespace query::detail
