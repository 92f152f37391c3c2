#include "service.hpp"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <query/buffer.hpp>
#include <query/error.hpp>
#include <query/json.hpp>
#include <utility>

#include "negotiate.hpp"
#include "request.hpp"

namespace query::server {
namespace {

/// Up to this size a result is taken whole, so that an error still gets its true status.
constexpr std::size_t kWhole = std::size_t{256} << 10;

// A switch-over of the database must not make every replica unready at once: clients would see
// refused connections in place of our 503.
constexpr std::chrono::milliseconds kForgiven{30000};
constexpr std::chrono::milliseconds kFresh{5000};
constexpr std::chrono::milliseconds kProbe{750};  // below a probe's usual timeout of 1 s

auto framing(Format format) -> JsonOptions::Framing {
  switch (format) {
    case Format::kNdjson:
      return JsonOptions::Framing::kLines;
    case Format::kCsv:
      return JsonOptions::Framing::kCsv;
    case Format::kJson:
      break;
  }
  return JsonOptions::Framing::kDocument;
}

/// What the JSON document says itself; a file of lines has no place for it.
void add_row_count(Reply& reply, bool truncated) {
  reply.headers.emplace_back("Query-Row-Count", std::to_string(reply.rows));
  reply.headers.emplace_back("Query-Truncated", truncated ? "true" : "false");
}

auto status_reply(int status, std::string_view word) -> Reply {
  Reply reply;
  reply.status = status;
  reply.body = R"({"status":")" + std::string(word) + "\"}";
  return reply;
}

}  // namespace

Service::Service(Pool& pool, const ServiceLimits& limits) : pool_(pool), limits_(limits) {}

auto Service::query(const Call& call) -> Reply {
  try {
    return answer(call);
  } catch (const Interrupted&) {
    Reply reply = exception_reply(std::current_exception(), {});
    if (!aborting_) {  // nobody reads this; the log has a word for it
      reply.status = 499;
      reply.code = "client_gone";
    }
    return reply;
  }
}

auto Service::answer(const Call& call) -> Reply {
  Asked asked;
  try {
    const std::optional<Format> format = negotiate(call.accept);
    if (!format) {
      return error_reply(406, "not_acceptable",
                         "none of the accepted types is offered: " + std::string(kOffered));
    }
    const QueryRequest request = parse_request(call.body);
    asked.batch = request.batch;
    asked.read_only = request.read_only || limits_.read_only;
    if (request.batch && *format != Format::kJson) {
      return error_reply(406, "not_acceptable", "a batch is answered as application/json only");
    }

    QueryOptions options;
    options.deadline =
        call.arrival + std::min(request.timeout.value_or(limits_.timeout), limits_.max_timeout);
    options.read_only = asked.read_only;
    if (limits_.max_rows > 0) {
      options.max_rows = limits_.max_rows;
    }
    options.max_rows = std::min(options.max_rows, request.max_rows.value_or(options.max_rows));
    options.interrupted = [this, gone = call.client_gone] { return aborting_ || gone(); };
    if (call.budget) {
      call.budget(options.deadline);
    }

    TransactionOptions transaction;
    transaction.isolation = request.isolation;
    transaction.read_only = asked.read_only;
    std::unique_ptr<JsonStream> stream;
    Buffer buffer;
    const auto read = [&] {
      buffer.clear();
      Connection connection = pool_.acquire(options);
      const auto start = std::chrono::steady_clock::now();
      stream = std::make_unique<JsonStream>(
          request.batch ? connection.query_batch(request.statements, transaction, options)
                        : connection.query(request.statements.front(), options),
          JsonOptions{
              .rows = request.rows, .numbers = request.numbers, .framing = framing(*format)});
      const bool more = stream->read(buffer, kWhole + 1);
      if (!request.batch) {
        remember(request.statements.front().sql, std::chrono::steady_clock::now() - start,
                 buffer.size());
      }
      return more;
    };
    bool more = false;
    try {
      more = read();
    } catch (const SqlError& error) {
      // DDL outdated a statement behind a batch's first; nothing was done and nothing was sent.
      if (!error.retryable() || (error.sqlstate() != "0A000" && error.sqlstate() != "26000")) {
        throw;
      }
      stream.reset();
      more = read();
    }
    saw_database();
    Reply reply;
    reply.content_type = content_type(*format);
    reply.body = buffer.view();
    reply.rows = stream->row_count();
    if (more) {
      reply.rest = std::move(stream);
    } else if (*format != Format::kJson) {
      add_row_count(reply, stream->truncated());
    }
    return reply;
  } catch (const Interrupted&) {
    throw;
  } catch (const SqlError& error) {
    saw_database();  // it answered, if only to refuse
    return exception_reply(std::current_exception(), asked);
  } catch (...) {
    return exception_reply(std::current_exception(), asked);
  }
}

/// Takes a run's time and size down, of a statement that may share a connection.
void Service::remember(std::string_view sql, std::chrono::steady_clock::duration time,
                       std::size_t bytes) {
  if (pool_.leaves_no_trace(sql)) {
    if (const auto record = history_.find(sql)) {
      record->measured(time, bytes);
    }
  }
}

auto Service::may_share(std::string_view body, std::string_view accept)
    -> std::optional<SharedCall> {
  // The lane has no deadlines of its own: below this a request is better off by itself.
  constexpr std::chrono::milliseconds kPatience{1000};
  const std::optional<Format> format = negotiate(accept);
  if (!format) {
    return std::nullopt;
  }
  try {
    QueryRequest request = parse_request(body);
    const bool row_limit = limits_.max_rows > 0 || request.max_rows;
    if (request.batch || row_limit || request.timeout.value_or(limits_.timeout) < kPatience ||
        limits_.max_timeout < kPatience) {
      return std::nullopt;
    }
    Statement& statement = request.statements.front();
    auto record = history_.find(statement.sql);
    if (!record || !record->quick() || !pool_.leaves_no_trace(statement.sql)) {
      return std::nullopt;
    }
    return SharedCall{
        .statement = std::move(statement),
        .json = {.rows = request.rows, .numbers = request.numbers, .framing = framing(*format)},
        .content_type = content_type(*format),
        .asked = {.read_only = request.read_only || limits_.read_only},
        .record = std::move(record)};
  } catch (const BadRequest&) {
    return std::nullopt;
  }
}

auto Service::shared_connection() -> Connection {
  constexpr std::chrono::milliseconds kPatience{5000};
  QueryOptions options;
  options.deadline = after(kPatience);
  options.interrupted = [this] { return aborting_ || draining_; };
  Connection connection = pool_.acquire(options);
  connection.execute("set statement_timeout = " + std::to_string(kSharedTimeout.count()), options);
  return connection;
}

auto Service::shared_reply(const SharedCall& call, const PipelineAnswer& answer)
    -> std::optional<Reply> {
  try {
    if (answer.error) {
      std::rethrow_exception(answer.error);
    }
    thread_local Buffer buffer;
    buffer.clear();
    append_json(buffer, answer.result, call.json);
    saw_database();
    Reply reply;
    reply.content_type = call.content_type;
    reply.body = buffer.view();
    reply.rows = answer.result.rows();
    if (call.json.framing != JsonOptions::Framing::kDocument) {
      add_row_count(reply, false);
    }
    if (buffer.size() > kWhole) {
      call.record->slow();
      buffer = {};
    }
    return reply;
  } catch (const SqlError& error) {
    constexpr std::string_view kCancelled = "57014";
    if (error.sqlstate() == kCancelled) {
      call.record->slow();
      return std::nullopt;
    }
    // Those behind it have to be run again: it has to earn its place anew.
    call.record->doubt();
    return exception_reply(std::current_exception(), call.asked);
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

auto Service::late_error(const std::exception_ptr& exception) -> Reply {
  return exception_reply(exception, {});
}

auto Service::livez() -> Reply { return status_reply(200, "ok"); }

auto Service::readyz() -> Reply {
  if (!draining_) {
    const auto since = since_database();
    if (!since || *since > kFresh) {
      // One asks, the others answer from what is known.
      if (const std::unique_lock lock(checking_, std::try_to_lock); lock.owns_lock()) {
        (void)check_database(after(kProbe));
      }
    }
  }
  return readyz_now();
}

auto Service::readyz_now() const -> Reply {
  if (draining_) {
    return status_reply(503, "draining");
  }
  const auto since = since_database();
  if (!since) {
    return status_reply(503, "no connection to the database yet");
  }
  return *since <= kForgiven ? status_reply(200, "ready")
                             : status_reply(503, "no connection to the database");
}

auto Service::check_database(Deadline deadline) -> std::optional<std::string> {
  try {
    QueryOptions options;
    options.deadline = deadline;
    options.interrupted = [this] { return aborting_.load(); };
    pool_.execute("select 1", options);
    saw_database();
  } catch (const Busy&) {
    // Every connection is at work. They exist, so that the database does.
    if (since_database() && pool_.stats().size > 0) {
      saw_database();
    }
  } catch (const std::exception& error) {
    return error.what();
  }
  return std::nullopt;
}

void Service::saw_database() noexcept {
  last_seen_ = std::chrono::steady_clock::now().time_since_epoch().count();
}

auto Service::since_database() const noexcept -> std::optional<std::chrono::milliseconds> {
  const auto last = last_seen_.load();
  if (last == 0) {
    return std::nullopt;
  }
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      now - std::chrono::steady_clock::duration(last));
}

}  // namespace query::server
