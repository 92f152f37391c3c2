#include "answer.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "array_literal.hpp"
#include "diagnostics.hpp"
#include "json_type.hpp"

namespace query::detail {

namespace {

// A batch's own transaction holds a savepoint, renewed behind each statement. It is gone once a
// statement has ended the transaction, and nothing a single statement does can bring it back, so
// the RELEASE then fails and the pipeline skips everything that follows. (A setting or a cursor
// would be cheaper, but a statement can make those outlive the transaction.) Being in a
// subtransaction also blocks SET TRANSACTION READ WRITE.
constexpr const char* kSetGuard = "SAVEPOINT libquery_guard";
constexpr const char* kCheckGuard = "RELEASE SAVEPOINT libquery_guard";

constexpr std::chrono::milliseconds kCancelGrace{500};
constexpr std::chrono::milliseconds kDrainGrace{5000};

auto has_json(const Params& params) -> bool {
  for (std::size_t i = 0; i < params.size(); ++i) {
    if (params[i].kind == Params::Kind::kJson) {
      return true;
    }
  }
  return false;
}

/// The bound values as libpq wants them; owns what had to be converted.
class BoundValues {
 public:
  BoundValues(const Params& params, const std::vector<JsonTarget>* targets) {
    constexpr std::size_t kMost = 65535;  // an Int16 in the Bind message
    if (params.size() > kMost) {
      throw std::invalid_argument("a statement takes at most 65535 parameters, not " +
                                  std::to_string(params.size()));
    }
    pointers_.reserve(params.size());
    for (std::size_t i = 0; i < params.size(); ++i) {
      pointers_.push_back(text_of(params[i], i, targets));
    }
  }

  [[nodiscard]] auto pointers() const -> const std::vector<const char*>& { return pointers_; }

 private:
  auto text_of(const Params::Value& value, std::size_t index,
               const std::vector<JsonTarget>* targets) -> const char* {
    if (value.kind == Params::Kind::kNull) {
      return nullptr;
    }
    if (value.kind == Params::Kind::kText || targets == nullptr || index >= targets->size() ||
        (*targets)[index] == JsonTarget::kText) {
      return value.text.c_str();
    }
    try {
      const auto elements = (*targets)[index] == JsonTarget::kArrayOfJson ? ArrayElements::kJson
                                                                           : ArrayElements::kValues;
      return converted_.emplace_back(to_array_literal(value.text, elements)).c_str();
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument("parameter $" + std::to_string(index + 1) + ": " + error.what());
    }
  }

  std::vector<const char*> pointers_;
  std::deque<std::string> converted_;
};

}  // namespace

Answer::Answer(std::shared_ptr<Lease> lease, const Statement& statement, std::string begin,
               QueryOptions options)
    : lease_(std::move(lease)),
      statements_(&statement, 1),
      begin_(std::move(begin)),
      options_(std::move(options)),
      patience_(options_),
      batch_(false) {}

Answer::Answer(std::shared_ptr<Lease> lease, std::vector<Statement> statements, std::string begin,
               QueryOptions options)
    : lease_(std::move(lease)),
      owned_(std::move(statements)),
      statements_(owned_),
      begin_(std::move(begin)),
      options_(std::move(options)),
      patience_(options_),
      batch_(true) {}

Answer::~Answer() {
  if (open_) {
    abandon_round();
  }
}

template <class F>
auto Answer::patiently(F&& work) -> decltype(work()) {
  try {
    return work();
  } catch (const OutOfPatience& end) {
    give_up(end);
  } catch (const ConnectionError&) {
    done();
    throw;
  }
}

// ---------------------------------------------------------------------------------------------
// Sending

void Answer::start() {
  lease_->require_idle();
  lease_->answering = true;
  open_ = true;
  for (const Statement& statement : statements_) {
    if (statement.sql.find('\0') != std::string::npos) {
      done();
      throw std::invalid_argument("the SQL contains U+0000, which PostgreSQL does not accept");
    }
  }
  patiently([this] {
    session().settle(patience_);
    inside_transaction_ = session().transaction_status() != PQTRANS_IDLE;
    if (!inside_transaction_) {
      session().drop_evicted_statements(patience_);
    }
    check(patience_);
    try {
      at_statement_ = advance_to_rows();
    } catch (const StaleStatement&) {
      // Nothing ran, so once more, with everything prepared anew.
      lease_->answering = true;
      open_ = true;
      begun_ = false;
      sent_ = 0;
      session().settle(patience_);
      at_statement_ = advance_to_rows();
    }
    if (!batch_ && !in_rows_) {
      finish();
    }
  });
}

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

// ---------------------------------------------------------------------------------------------
// Receiving

/// Goes on to the next statement's rows; false when everything is done.
auto Answer::advance_to_rows() -> bool {
  for (;;) {
    if (expected_.empty()) {
      if (sent_ == statements_.size() && (begun_ || !in_envelope())) {
        done();
        return false;
      }
      send_round();
    }
    if (expected_.front().step == Step::kRows) {
      begin_rows();
      return true;
    }
    take_step();
  }
}

void Answer::take_step() {
  const auto [step, statement] = expected_.front();
  const ResultHandle result = session().receive(patience_);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status == PGRES_FATAL_ERROR || status == PGRES_PIPELINE_ABORTED) {
    fail(result.get());
  }
  expected_.pop_front();
  if (step == Step::kSync) {
    return;
  }
  (void)session().receive(patience_);  // the null behind each command's results
  if (step == Step::kDescribe) {
    const ResultHandle sync = session().receive(patience_);
    expected_.pop_front();  // a description always ends its round
    take_description(result.get(), statement);
  }
}

void Answer::take_description(const PGresult* result, std::size_t index) {
  std::vector<JsonTarget> targets;
  std::vector<Oid> unknown;
  const int count = PQnparams(result);
  for (int i = 0; i < count; ++i) {
    const Oid type = PQparamtype(result, i);
    const TypeInfo info = type_info(type);
    if (info.is_array) {
      targets.push_back(info.kind == ValueKind::kJson ? JsonTarget::kArrayOfJson
                                                      : JsonTarget::kArray);
    } else {
      targets.push_back(JsonTarget::kText);
      if (info.name.empty()) {
        unknown.push_back(type);
      }
    }
  }
  if (!unknown.empty()) {
    const std::vector<Oid> arrays = session().array_types(unknown, patience_);
    for (int i = 0; i < count; ++i) {
      if (std::find(arrays.begin(), arrays.end(), PQparamtype(result, i)) != arrays.end()) {
        targets[static_cast<std::size_t>(i)] = JsonTarget::kArray;
      }
    }
  }
  if (!session().statements().enabled()) {
    described_ = std::move(targets);
  } else if (auto* prepared = session().statements().find(statements_[index].sql)) {
    prepared->targets = std::move(targets);
  }
}

void Answer::begin_rows() {
  session().stream_rows();
  ResultHandle result = session().receive(patience_);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
    refuse_copy();
  }
  const int width = PQnfields(result.get());
  columns_.clear();
  for (int i = 0; i < width; ++i) {
    columns_.push_back({.name = PQfname(result.get(), i), .oid = PQftype(result.get(), i)});
  }
  pending_.reset();
  delivered_ = 0;
  truncated_ = false;
  command_.clear();
  affected_.reset();
  in_rows_ = true;
  switch (status) {
#ifdef LIBPQ_HAS_CHUNK_MODE
    case PGRES_TUPLES_CHUNK:
#endif
    case PGRES_SINGLE_TUPLE:
      pending_.emplace(std::move(result));
      break;
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY:
      end_rows(result.get());
      break;
    default:
      fail(result.get());
  }
}

/// Takes in the command tag: `SELECT 5`, `INSERT 0 3`, `CREATE TABLE`.
void Answer::end_rows(const PGresult* result) {
  in_rows_ = false;
  // libpq's functions take a pointer to non-const and do not write.
  auto* tagged = const_cast<PGresult*>(result);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  const std::string_view tag = PQcmdStatus(tagged);
  command_ = tag.substr(0, tag.find_first_of("0123456789"));
  while (!command_.empty() && command_.back() == ' ') {
    command_.pop_back();
  }
  const std::string_view count = PQcmdTuples(tagged);
  std::uint64_t number = 0;
  if (!count.empty() &&
      std::from_chars(count.data(), count.data() + count.size(), number).ec == std::errc{}) {
    affected_ = truncated_ && command_ == "SELECT" ? delivered_ : number;
  }
  (void)session().receive(patience_);
  expected_.pop_front();
}

auto Answer::next() -> std::optional<Block> {
  return patiently([this]() -> std::optional<Block> {
    while (in_rows_) {
      std::optional<Block> block = take_row();
      if (!block) {
        break;
      }
      if (delivered_ + block->rows() <= options_.max_rows) {
        delivered_ += block->rows();
        return block;
      }
      const auto allowed = static_cast<std::size_t>(options_.max_rows - delivered_);
      const bool first = !truncated_;
      truncated_ = true;
      if (first) {
        delivered_ = options_.max_rows;
        truncate();
        if (allowed > 0) {
          return std::move(*block).first(allowed);
        }
      }
    }
    if (!batch_ && open_) {
      finish();
    }
    return std::nullopt;
  });
}

auto Answer::take_row() -> std::optional<Block> {
  if (pending_) {
    return std::exchange(pending_, std::nullopt);
  }
  ResultHandle result = session().receive(patience_);
  switch (PQresultStatus(result.get())) {
#ifdef LIBPQ_HAS_CHUNK_MODE
    case PGRES_TUPLES_CHUNK:
#endif
    case PGRES_SINGLE_TUPLE:
      return Block(std::move(result));
    case PGRES_TUPLES_OK:
      end_rows(result.get());
      return std::nullopt;
    default:
      fail(result.get());
  }
}

/// More rows than asked for have come. In a read-only transaction of our own the statement can be
/// cancelled; anywhere else that would undo what it does, so its other rows are read and dropped.
void Answer::truncate() {
  if (batch_ || !options_.read_only || inside_transaction_) {
    return;
  }
  (void)cancel_and_drain();
  command_ = "SELECT";
  affected_ = delivered_;
}

auto Answer::next_statement() -> bool {
  return patiently([this] {
    while (in_rows_) {
      (void)take_row();
    }
    at_statement_ = open_ && advance_to_rows();
    return at_statement_;
  });
}

/// Reads what follows the only statement: the COMMIT, if any, and the Sync.
void Answer::finish() {
  while (!expected_.empty()) {
    take_step();
  }
  done();
}

// ---------------------------------------------------------------------------------------------
// Trouble

void Answer::fail(const PGresult* result) {
  const auto [step, statement] = expected_.front();
  Diagnostics diagnostics = diagnostics_of(result);
  const std::string_view source = diagnostics.source_function;
  const bool ours_is_gone = diagnostics.sqlstate == "26000" &&
                            diagnostics.message.find("\"query_") != std::string::npos;
  const bool outdated = diagnostics.sqlstate == "0A000" && source == "RevalidateCachedQuery";

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
  const bool nothing_ran = statement == 0 && !inside_transaction_ && session().sound();
  done();

  if (ours_is_gone || outdated) {
    session().statements().clear();
    if (nothing_ran) {
      throw StaleStatement(std::move(diagnostics));
    }
  }
  if (diagnostics.sqlstate == "25006" && !options_.read_only && session().is_standby()) {
    session().doubt();  // the server was demoted; connect anew, to the primary
  }
  if (step == Step::kGuard) {
    diagnostics = {.severity = "ERROR",
                   .sqlstate = "2D000",
                   .message = "a statement of a batch must not end the batch's transaction",
                   .detail = "What ran before it was committed or rolled back by it; "
                             "the statements behind it did not run.",
                   .hint = "Leave BEGIN, COMMIT and ROLLBACK out of a batch."};
  }
  std::optional<std::size_t> index;
  if (batch_ && statement < statements_.size()) {
    index = statement;
  }
  throw SqlError(std::move(diagnostics), index);
}

void Answer::refuse_copy() {
  session().doubt();  // a pipeline cannot get out of COPY
  const std::size_t statement = expected_.front().statement;
  done();
  std::optional<std::size_t> index;
  if (batch_) {
    index = statement;
  }
  throw SqlError({.severity = "ERROR",
                  .sqlstate = "0A000",
                  .message = "COPY to or from the client is not supported",
                  .hint = "Use SELECT to read (CSV is one of the answer's formats) and INSERT to "
                          "write."},
                 index);
}

void Answer::give_up(const OutOfPatience& end) {
  const bool sent = !expected_.empty();
  const bool undone = !sent || cancel_and_drain();
  done();
  throw_out_of_patience(end, "the statement ran",
                        undone ? Outcome::kNothingSent : Outcome::kUnknown);
}

/// Cancels what runs and reads the round to its end. True if the server confirmed the cancel, so
/// that nothing of the statement remains. The session is in doubt where the end did not come.
auto Answer::cancel_and_drain() noexcept -> bool {
  bool confirmed = false;
  try {
    in_rows_ = false;
    pending_.reset();
    forget_unconfirmed(StatementCache::OnServer::kMaybe);
    (void)session().cancel_target()->cancel(after(kCancelGrace));
    const Patience grace(after(kCancelGrace));
    for (;;) {
      const ResultHandle result = session().receive(grace);
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
