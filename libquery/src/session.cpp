#include "session.hpp"

#include <poll.h>

#include <charconv>
#include <utility>

#include "diagnostics.hpp"

namespace query::detail {

Session::~Session() {
  // A server whose answers nobody reads complains in its log.
  constexpr std::chrono::milliseconds kFarewell{50};
  try {
    if (passing_ > 0 && sound()) {
      settle(Patience(after(kFarewell)));
    }
  } catch (...) {  // NOLINT(bugprone-empty-catch): it is closed all the same
  }
}

void Session::require(int sent) {
  if (sent != 1) {
    throw_lost(Outcome::kNothingSent);
  }
}

void Session::queue_command(const char* sql) {
  check_prepared_ = false;
  require(PQsendQueryParams(connection_.get(), sql, 0, nullptr, nullptr, nullptr, nullptr, 0));
}

void Session::queue_query(const char* sql, const std::vector<const char*>& values) {
  check_prepared_ = false;
  require(PQsendQueryParams(connection_.get(), sql, static_cast<int>(values.size()), nullptr,
                            values.data(), nullptr, nullptr, 0));
}

void Session::queue_prepare(const std::string& name, const std::string& sql) {
  check_prepared_ = check_prepared_ && !name.empty();
  require(PQsendPrepare(connection_.get(), name.c_str(), sql.c_str(), 0, nullptr));
}

void Session::queue_describe(const std::string& name) {
  require(PQsendDescribePrepared(connection_.get(), name.c_str()));
}

void Session::queue_execute(const std::string& name, const std::vector<const char*>& values) {
  require(PQsendQueryPrepared(connection_.get(), name.c_str(), static_cast<int>(values.size()),
                              values.data(), nullptr, nullptr, 0));
}

void Session::sync() {
#ifdef LIBPQ_HAS_CHUNK_MODE  // libpq 17, like this function, which leaves the sending to flush()
  require(PQsendPipelineSync(connection_.get()));
#else
  require(PQpipelineSync(connection_.get()));
#endif
}

void Session::flush(const Patience& patience) {
  PGconn* connection = connection_.get();
  int left = PQflush(connection);
  while (left > 0) {
    // The server may have stopped reading until we read: take in while giving out.
    wait(PQsocket(connection), POLLIN | POLLOUT, patience);
    if (!take_in()) {
      return;  // the reason is in the result that follows
    }
    left = PQflush(connection);
  }
}

/// Takes in what has arrived; drops notifications, for which a lease has no place.
auto Session::take_in() -> bool {
  const bool alive = PQconsumeInput(connection_.get()) == 1;
  while (PGnotify* notification = PQnotifies(connection_.get())) {
    PQfreemem(notification);
  }
  return alive;
}

auto Session::receive(const Patience& patience) -> ResultHandle {
  PGconn* connection = connection_.get();
  flush(patience);
  while (PQisBusy(connection) != 0) {
    wait(PQsocket(connection), POLLIN, patience);
    if (!take_in()) {
      break;  // PQgetResult tells why
    }
  }
  return take_result();
}

auto Session::socket() const noexcept -> int { return PQsocket(connection_.get()); }

auto Session::give_out() -> bool {
  const int left = PQflush(connection_.get());
  if (left < 0 && PQstatus(connection_.get()) == CONNECTION_BAD) {
    throw_lost(Outcome::kUnknown);
  }
  return left > 0;
}

auto Session::has_result() const noexcept -> bool { return PQisBusy(connection_.get()) == 0; }

auto Session::take_result() -> ResultHandle {
  PGconn* connection = connection_.get();
  ResultHandle result(PQgetResult(connection));
  if (result && PQresultStatus(result.get()) == PGRES_FATAL_ERROR) {
    const Diagnostics diagnostics = diagnostics_of(result.get());
    if (PQstatus(connection) == CONNECTION_BAD || ends_connection(diagnostics)) {
      if (!diagnostics.sqlstate.empty()) {  // the first words are the true ones
        last_words_ = diagnostics.message;
        last_words_sqlstate_ = diagnostics.sqlstate;
      }
      throw_lost(Outcome::kUnknown);
    }
  } else if (!result && PQstatus(connection) == CONNECTION_BAD) {
    throw_lost(Outcome::kUnknown);
  }
  return result;
}

void Session::stream_rows() noexcept {
#ifdef LIBPQ_HAS_CHUNK_MODE
  // Saves most of what a result per row costs; a wide or slow row waits for few others.
  constexpr int kRowsPerChunk = 16;
  PQsetChunkedRowsMode(connection_.get(), kRowsPerChunk);
#else
  PQsetSingleRowMode(connection_.get());
#endif
}

void Session::drain(const Patience& patience) {
  for (;;) {
    const ResultHandle result = receive(patience);
    const ExecStatusType status = result ? PQresultStatus(result.get()) : PGRES_COMMAND_OK;
    if (status == PGRES_PIPELINE_SYNC) {
      return;
    }
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
      throw_lost(Outcome::kUnknown);  // a pipeline cannot get out of COPY
    }
  }
}

auto Session::run(const char* sql, const Patience& patience) -> ResultHandle {
  queue_command(sql);
  sync();
  ResultHandle result = receive(patience);
  drain(patience);
  if (PQresultStatus(result.get()) == PGRES_FATAL_ERROR) {
    throw SqlError(diagnostics_of(result.get()));
  }
  return result;
}

void Session::queue_array_types(const std::vector<Oid>& types) {
  std::string list = "{";
  for (const Oid type : types) {
    list += (list.size() > 1 ? "," : "") + std::to_string(type);
  }
  list += "}";
  queue_query(
      "SELECT oid FROM pg_catalog.pg_type "
      "WHERE oid OPERATOR(pg_catalog.=) ANY($1::pg_catalog.oid[]) "
      "AND typcategory OPERATOR(pg_catalog.=) 'A'",
      {list.c_str()});
}

auto Session::array_types_of(const PGresult* answer) -> std::vector<Oid> {
  std::vector<Oid> arrays;
  for (int row = 0; row < PQntuples(answer); ++row) {
    const std::string_view text = PQgetvalue(answer, row, 0);
    std::from_chars(text.data(), text.data() + text.size(), arrays.emplace_back());
  }
  return arrays;
}

auto Session::array_types(const std::vector<Oid>& types, const Patience& patience)
    -> std::vector<Oid> {
  queue_array_types(types);
  sync();
  const ResultHandle result = receive(patience);
  drain(patience);
  if (PQresultStatus(result.get()) != PGRES_TUPLES_OK) {
    throw SqlError(diagnostics_of(result.get()));
  }
  return array_types_of(result.get());
}

auto Session::cancel_target() -> std::shared_ptr<CancelTarget> {
  if (!cancel_target_) {
    cancel_target_ = std::make_shared<CancelTarget>(connection_.get());
  }
  return cancel_target_;
}

auto Session::release_cancel_target() noexcept -> bool {
  const std::shared_ptr<CancelTarget> target = std::move(cancel_target_);
  return !target || target->release();
}

auto Session::transaction_status() const noexcept -> PGTransactionStatusType {
  // What was queued in passing ends every transaction, and libpq would call it ACTIVE.
  return passing_ > 0 ? PQTRANS_IDLE : PQtransactionStatus(connection_.get());
}

auto Session::is_standby() const noexcept -> bool {
  const char* standby = PQparameterStatus(connection_.get(), "in_hot_standby");
  return standby != nullptr && std::string_view(standby) == "on";
}

auto Session::sound() const noexcept -> bool {
  return sound_ && PQstatus(connection_.get()) == CONNECTION_OK;
}

auto Session::went_away() noexcept -> bool {
  (void)PQisBusy(connection_.get());  // takes in a farewell that came with the reset's answers
  if (!last_words_.empty()) {
    return true;
  }
  pollfd entry{.fd = PQsocket(connection_.get()), .events = POLLIN, .revents = 0};
  return ::poll(&entry, 1, 0) != 0;
}

void Session::throw_lost(Outcome outcome) {
  doubt();
  vanished_ = last_words_sqlstate_ != "57P01";
  const std::string message = last_words_.empty() ? message_of(connection_.get()) : last_words_;
  throw ConnectionError(message, outcome,
                        last_words_sqlstate_.empty() ? "08006" : last_words_sqlstate_);
}

void Session::remember_notice(void* session, const PGresult* notice) {
  const Diagnostics diagnostics = diagnostics_of(notice);
  if (ends_connection(diagnostics)) {  // e.g. the WARNING of an immediate shutdown
    auto* self = static_cast<Session*>(session);
    self->last_words_ = diagnostics.message;
    self->last_words_sqlstate_ = diagnostics.sqlstate;
  }
}

}  // namespace query::detail
