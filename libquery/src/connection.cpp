#include <query/connection.hpp>

#include <stdexcept>
#include <string>
#include <utility>

#include "answer.hpp"
#include "diagnostics.hpp"
#include "lease.hpp"

namespace query {

namespace {

using detail::Answer;
using Intake = Answer::Intake;
using detail::Lease;
using detail::Patience;

auto begin_command(const TransactionOptions& options) -> std::string {
  std::string command = "BEGIN";
  switch (options.isolation) {
    case Isolation::kDefault:
      break;
    case Isolation::kReadCommitted:
      command += " ISOLATION LEVEL READ COMMITTED";
      break;
    case Isolation::kRepeatableRead:
      command += " ISOLATION LEVEL REPEATABLE READ";
      break;
    case Isolation::kSerializable:
      command += " ISOLATION LEVEL SERIALIZABLE";
      break;
  }
  if (options.read_only) {
    command += " READ ONLY";
  }
  if (options.deferrable) {
    command += " DEFERRABLE";
  }
  return command;
}

auto run(const std::shared_ptr<Lease>& lease, const Statement& statement,
         const QueryOptions& options, Intake intake) -> Rows {
  auto answer = std::make_unique<Answer>(lease, statement,
                                         options.read_only ? "BEGIN READ ONLY" : "", options);
  answer->start(intake);
  return Rows(std::move(answer));
}

auto run_batch(const std::shared_ptr<Lease>& lease, std::span<const Statement> statements,
               const TransactionOptions& transaction, const QueryOptions& options, Intake intake)
    -> Rows {
  TransactionOptions begin = transaction;
  begin.read_only = begin.read_only || options.read_only;
  auto answer =
      std::make_unique<Answer>(lease, std::vector<Statement>(statements.begin(), statements.end()),
                               begin_command(begin), options);
  answer->start(intake);
  return Rows(std::move(answer));
}

/// Of a Transaction's lease, before a statement runs on it.
void require_open(const std::shared_ptr<Lease>& lease, const QueryOptions& options) {
  if (!lease) {
    throw std::logic_error("the transaction has ended");
  }
  if (options.read_only) {
    throw std::invalid_argument(
        "read_only is the whole transaction's: say it in TransactionOptions");
  }
}

/// BEGIN, COMMIT or ROLLBACK of a Transaction: one round, with its own deadline.
auto control(Lease& lease, const char* command, Deadline deadline) -> detail::ResultHandle {
  lease.require_idle();
  detail::Session& session = lease.session();
  bool sent = false;
  try {
    session.settle(Patience(deadline));
    sent = true;
    return session.run(command, Patience(deadline));
  } catch (const detail::OutOfPatience& end) {
    session.doubt();  // its answer may still come
    throw_out_of_patience(end, "the transaction began or ended",
                          sent ? Outcome::kUnknown : Outcome::kNothingSent);
  }
}

}  // namespace

Connection::Connection(std::shared_ptr<Lease> lease) noexcept : lease_(std::move(lease)) {}
Connection::Connection(Connection&&) noexcept = default;
auto Connection::operator=(Connection&&) noexcept -> Connection& = default;
Connection::~Connection() = default;

auto Connection::query(const Statement& statement, const QueryOptions& options) -> Rows {
  return run(lease_, statement, options, Intake::kPortions);
}

auto Connection::execute(const Statement& statement, const QueryOptions& options) -> Result {
  return run(lease_, statement, options, Intake::kWhole).collect();
}

auto Connection::query_batch(std::span<const Statement> statements,
                             const TransactionOptions& transaction, const QueryOptions& options)
    -> Rows {
  return run_batch(lease_, statements, transaction, options, Intake::kPortions);
}

auto Connection::batch(std::span<const Statement> statements, const TransactionOptions& transaction,
                       const QueryOptions& options) -> std::vector<Result> {
  const auto collect = [&] {
    std::vector<Result> results;
    Rows rows = run_batch(lease_, statements, transaction, options, Intake::kWhole);
    for (bool more = rows.at_statement(); more; more = rows.next_statement()) {
      results.push_back(rows.collect());
    }
    return results;
  };
  try {
    return collect();
  } catch (const detail::StaleStatement&) {
    return collect();
  }
}

auto Connection::begin(const TransactionOptions& transaction, Deadline deadline) -> Transaction {
  (void)control(*lease_, begin_command(transaction).c_str(), deadline);
  return Transaction(lease_);
}

auto Connection::canceller() const -> Canceller {
  return Canceller(lease_->session().cancel_target());
}

Transaction::Transaction(std::shared_ptr<Lease> lease) noexcept : lease_(std::move(lease)) {}
Transaction::Transaction(Transaction&&) noexcept = default;

auto Transaction::operator=(Transaction&& other) noexcept -> Transaction& {
  Transaction former(std::move(*this));  // rolls back
  lease_ = std::move(other.lease_);
  return *this;
}

Transaction::~Transaction() {
  if (!lease_) {
    return;
  }
  detail::Session& session = lease_->session();
  try {
    if (session.sound() && session.transaction_status() != PQTRANS_IDLE) {
      if (lease_->answering) {
        session.doubt();  // an open answer outlives its transaction
      } else {
        session.roll_back_in_passing();
      }
    }
  } catch (...) {
    session.doubt();
  }
}

auto Transaction::query(const Statement& statement, const QueryOptions& options) -> Rows {
  require_open(lease_, options);
  return run(lease_, statement, options, Intake::kPortions);
}

auto Transaction::execute(const Statement& statement, const QueryOptions& options) -> Result {
  require_open(lease_, options);
  return run(lease_, statement, options, Intake::kWhole).collect();
}

void Transaction::commit(Deadline deadline) {
  if (!lease_) {
    throw std::logic_error("the transaction has ended");
  }
  lease_->require_idle();
  const std::shared_ptr<Lease> lease = std::move(lease_);
  const detail::ResultHandle result = control(*lease, "COMMIT", deadline);
  if (std::string_view(PQcmdStatus(result.get())) == "ROLLBACK") {
    throw SqlError({.severity = "ERROR",
                    .sqlstate = "25P02",
                    .message = "the transaction was rolled back, for an earlier statement in it "
                               "had failed"});
  }
}

void Transaction::rollback(Deadline deadline) {
  if (!lease_) {
    throw std::logic_error("the transaction has ended");
  }
  lease_->require_idle();
  const std::shared_ptr<Lease> lease = std::move(lease_);
  (void)control(*lease, "ROLLBACK", deadline);
}

Canceller::Canceller(std::shared_ptr<detail::CancelTarget> target) noexcept
    : target_(std::move(target)) {}

auto Canceller::cancel(Deadline deadline) const noexcept -> bool {
  return target_->cancel(deadline);
}

}  // namespace query
