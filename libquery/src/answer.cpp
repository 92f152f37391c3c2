#include "answer.hpp"

#include <limits>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "bound_values.hpp"
#include "command_tag.hpp"
#include "first_word.hpp"

namespace query::detail {

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

/// Refuses what must not even be sent. COPY with the client cannot run in a pipeline, and by the
/// time that the server's answer shows it, what stands behind it is on its way.
void Answer::refuse_impossible() {
  for (std::size_t i = 0; i < statements_.size(); ++i) {
    const std::string& sql = statements_[i].sql;
    if (sql.find('\0') != std::string::npos) {
      done();
      throw std::invalid_argument("the SQL contains U+0000, which PostgreSQL does not accept");
    }
    if (first_word(sql) == "copy") {
      refuse_copy(i);
    }
  }
}

void Answer::start(Intake intake) {
  const bool all = options_.max_rows == std::numeric_limits<std::uint64_t>::max();
  intake_ = all ? intake : Intake::kPortions;
  lease_->require_idle();
  lease_->answering = true;
  open_ = true;
  refuse_impossible();
  patiently([this] {
    session().settle(patience_);
    inside_transaction_ = session().transaction_status() != PQTRANS_IDLE;
    for (const Statement& statement : statements_) {
      lease_->note(statement.sql, !batch_ && !inside_transaction_);
    }
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
  DescribedParams params(result);
  if (!params.unknown.empty()) {
    params.learn(session().array_types(params.unknown, patience_));
  }
  if (!session().statements().enabled()) {
    described_ = std::move(params.targets);
  } else if (auto* prepared = session().statements().find(statements_[index].sql)) {
    prepared->targets = std::move(params.targets);
  }
}

void Answer::begin_rows() {
  if (intake_ == Intake::kPortions) {
    session().stream_rows();
  }
  ResultHandle result = session().receive(patience_);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
    session().doubt();  // a pipeline cannot get out of COPY
    refuse_copy(expected_.front().statement);
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
  tag_.clear();
  tag_count_.clear();
  in_rows_ = true;
  switch (status) {
#ifdef LIBPQ_HAS_CHUNK_MODE
    case PGRES_TUPLES_CHUNK:
      take_tag(result.get());
      [[fallthrough]];
#endif
    case PGRES_SINGLE_TUPLE:
      pending_.emplace(std::move(result));
      break;
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY:
      end_rows(result.get());
      if (PQntuples(result.get()) > 0) {
        pending_.emplace(std::move(result));
      }
      break;
    default:
      fail(result.get());
  }
}

/// Takes in the command tag: `SELECT 5`, `INSERT 0 3`, `CREATE TABLE`. libpq writes it to an
/// unfilled last chunk where there is one, and then leaves the empty result behind the chunks
/// without.
void Answer::take_tag(const PGresult* result) {
  // libpq's functions take a pointer to non-const and do not write.
  auto* tagged = const_cast<PGresult*>(result);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  if (const std::string_view tag = PQcmdStatus(tagged); !tag.empty()) {
    tag_ = tag;
    tag_count_ = PQcmdTuples(tagged);
  }
}

void Answer::end_rows(const PGresult* result) {
  in_rows_ = false;
  take_tag(result);
  CommandTag tag(tag_, tag_count_);
  command_ = std::move(tag.command);
  affected_ = tag.affected && truncated_ && command_ == "SELECT" ? delivered_ : tag.affected;
  (void)session().receive(patience_);
  expected_.pop_front();
}

auto Answer::next() -> std::optional<Block> {
  return patiently([this]() -> std::optional<Block> {
    while (in_rows_ || pending_) {
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
      take_tag(result.get());
      [[fallthrough]];
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

}  // namespace query::detail
