// How an Answer ends when it does not end well: errors, deadlines, readers that leave.
#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

#include "answer.hpp"
#include "diagnostics.hpp"

namespace query::detail {

namespace {

constexpr std::chrono::milliseconds kCancelGrace{500};
constexpr std::chrono::milliseconds kCancelAgain{50};

}  // namespace

void Answer::fail(const PGresult* result) {
  const auto [step, statement] = expected_.front();
  Diagnostics diagnostics = diagnostics_of(result);
  forget_unconfirmed(StatementCache::OnServer::kNo);
  try {
    session().drain(patience_.until(after(kDrainGrace)));
    leave_transaction();
  } catch (const OutOfPatience&) {
    session().doubt();
  } catch (const ConnectionError&) {
    // The statement's own error is the news; the session is marked already.
    session().doubt();
  }
  const bool repeatable = !inside_transaction_ && session().sound();
  done();
  std::optional<std::size_t> index;
  if (batch_ && statement < statements_.size()) {
    index = statement;
  }

  if (is_lost_plan(diagnostics)) {
    session().statements().clear();
    if (repeatable) {
      throw StaleStatement(std::move(diagnostics), index);
    }
  }
  if (diagnostics.sqlstate == "25006" && !options_.read_only && session().is_standby()) {
    session().doubt();  // the server was demoted; connect anew, to the primary
  }
  if (step == Step::kGuard) {
    diagnostics = {.severity = "ERROR",
                   .sqlstate = "2D000",
                   .message = "a statement of a batch must not end the batch's transaction",
                   .detail =
                       "What ran before it was committed or rolled back by it; "
                       "the statements behind it did not run.",
                   .hint = "Leave BEGIN, COMMIT and ROLLBACK out of a batch."};
  }
  throw SqlError(std::move(diagnostics), index);
}

void Answer::refuse_copy(std::size_t statement) {
  done();
  throw SqlError({.severity = "ERROR",
                  .sqlstate = "0A000",
                  .message = "COPY is not supported",
                  .hint = "Use SELECT to read (CSV is one of the answer's formats) and INSERT to "
                          "write."},
                 batch_ ? std::optional(statement) : std::nullopt);
}

void Answer::give_up(const OutOfPatience& end) {
  const bool sent = !expected_.empty();
  const bool undone = !sent || cancel_and_drain();
  done();
  throw_out_of_patience(end, "the statement ran",
                        undone ? Outcome::kNothingSent : Outcome::kUnknown);
}

/// The next result of a cancelled round. PostgreSQL forgets a cancel that arrives before it has
/// read the Execute message (while it still plans, or loads its JIT compiler), hence once more and
/// more.
auto Answer::receive_cancelling(Deadline grace) -> ResultHandle {
  for (;;) {
    try {
      return session().receive(Patience(std::min(grace, after(kCancelAgain))));
    } catch (const OutOfPatience&) {
      if (std::chrono::steady_clock::now() >= grace) {
        throw;
      }
      (void)session().cancel_target()->cancel(grace);
    }
  }
}

/// Cancels what runs and reads the round to its end. True if the server confirmed the cancel, so
/// that nothing of the statement remains. The session is in doubt where the end did not come.
auto Answer::cancel_and_drain() noexcept -> bool {
  bool confirmed = false;
  try {
    in_rows_ = false;
    pending_.reset();
    forget_unconfirmed(StatementCache::OnServer::kMaybe);
    const Deadline grace = after(kCancelGrace);
    (void)session().cancel_target()->cancel(grace);
    for (;;) {
      const ResultHandle result = receive_cancelling(grace);
      const ExecStatusType status = result ? PQresultStatus(result.get()) : PGRES_COMMAND_OK;
      if (status == PGRES_PIPELINE_SYNC) {
        break;
      }
      if (status == PGRES_FATAL_ERROR) {
        const char* sqlstate = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
        confirmed = sqlstate != nullptr && std::string_view(sqlstate) == "57014";
      }
    }
    leave_transaction();
  } catch (...) {
    session().doubt();
  }
  expected_.clear();
  done();
  return confirmed;
}

/// Nobody wants the rest. A short rest is read away; a long one is cancelled.
void Answer::abandon_round() noexcept {
  constexpr std::chrono::milliseconds kShort{10};
  if (expected_.empty()) {  // between two rounds of a batch
    try {
      leave_transaction();
    } catch (...) {
      session().doubt();
    }
    done();
    return;
  }
  if (!session().sound()) {
    done();
    return;
  }
  try {
    forget_unconfirmed(StatementCache::OnServer::kMaybe);
    session().drain(Patience(after(kShort)));
    leave_transaction();
    expected_.clear();
    done();
  } catch (const OutOfPatience&) {
    (void)cancel_and_drain();
  } catch (...) {
    session().doubt();
    done();
  }
}

/// Forgets the statements whose Parse was not answered. After an error the server has none of
/// them, for it skips the rest of the round.
void Answer::forget_unconfirmed(StatementCache::OnServer on_server) {
  for (const auto& [step, statement] : expected_) {
    if (step == Step::kPrepare) {
      session().statements().erase(statements_[statement].sql, on_server);
    }
  }
}

void Answer::leave_transaction() {
  if (in_envelope() && session().sound() && session().transaction_status() != PQTRANS_IDLE) {
    session().roll_back_in_passing();
  }
}

void Answer::done() noexcept {
  expected_.clear();
  in_rows_ = false;
  open_ = false;
  lease_->answering = false;
}

}  // namespace query::detail
