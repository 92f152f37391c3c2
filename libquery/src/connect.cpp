#include <poll.h>

#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "diagnostics.hpp"
#include "session.hpp"

namespace query::detail {

namespace {

auto environment(const char* name) -> std::string {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody writes it
  return value == nullptr ? std::string() : std::string(value);
}

/// The settings that the text of values depends on. As start-up options they are what RESET ALL
/// goes back to, whatever the role's or the database's defaults are.
constexpr std::string_view kSettings =
    "-c datestyle=ISO -c intervalstyle=postgres -c bytea_output=hex -c extra_float_digits=1";

}  // namespace

ConnectSettings::ConnectSettings(const PoolOptions& options)
    : timeout(options.connect_timeout),
      statement_cache(options.statement_cache),
      reset_session(options.reset_session) {
  char* raw_message = nullptr;
  const ConninfoHandle parsed(PQconninfoParse(options.conninfo.c_str(), &raw_message));
  const MemoryHandle<char> message(raw_message);
  if (!parsed) {
    std::string text = message ? message.get() : "out of memory";
    while (!text.empty() && text.back() == '\n') {
      text.pop_back();
    }
    throw std::invalid_argument("the connection string cannot be read: " + text);
  }
  std::string server_options = environment("PGOPTIONS");
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val == nullptr) {
      continue;
    }
    if (std::string_view(option->keyword) == "options") {
      server_options = option->val;
    } else {
      keywords.emplace_back(option->keyword, option->val);
    }
  }
  const auto add_default = [this](std::string_view keyword, std::string_view value) {
    for (const auto& entry : keywords) {
      if (entry.first == keyword) {
        return;
      }
    }
    keywords.emplace_back(keyword, value);
  };
  add_default("fallback_application_name", "libquery");
  // A server that vanished without a word is noticed within seconds, not hours.
  add_default("tcp_user_timeout", "5000");
  add_default("keepalives_idle", "10");
  add_default("keepalives_interval", "5");
  add_default("keepalives_count", "3");
  std::erase_if(keywords, [](const auto& entry) { return entry.first == "client_encoding"; });
  keywords.emplace_back("client_encoding", "UTF8");
  if (reset_session) {  // a pooler in between would refuse start-up options
    server_options = std::string(kSettings) + " " + server_options;
  }
  if (!server_options.empty()) {
    keywords.emplace_back("options", server_options);
  }
}

auto Session::open(const ConnectSettings& settings, const Patience& patience)
    -> std::unique_ptr<Session> {
  std::vector<const char*> names;
  std::vector<const char*> values;
  for (const auto& [name, value] : settings.keywords) {
    names.push_back(name.c_str());
    values.push_back(value.c_str());
  }
  names.push_back(nullptr);
  values.push_back(nullptr);

  std::unique_ptr<Session> session(new Session(settings.statement_cache));
  session->connection_.reset(PQconnectStartParams(names.data(), values.data(), 0));
  PGconn* connection = session->connection_.get();
  if (connection == nullptr) {
    throw std::bad_alloc();
  }
  PQsetNoticeReceiver(connection, &Session::remember_notice, session.get());
  const Deadline connect_deadline = after(settings.timeout);
  const Patience limited = patience.until(connect_deadline);
  // The first wait is for writing, as if PQconnectPoll had asked for it (PostgreSQL manual,
  // "Database Connection Control Functions").
  PostgresPollingStatusType state = PGRES_POLLING_WRITING;
  if (PQstatus(connection) == CONNECTION_BAD) {
    state = PGRES_POLLING_FAILED;
  }
  while (state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED) {
    try {
      wait(PQsocket(connection), state == PGRES_POLLING_READING ? POLLIN : POLLOUT, limited);
    } catch (const OutOfPatience& end) {
      if (end.cause == OutOfPatience::Cause::kDeadline && limited.deadline == connect_deadline) {
        throw ConnectionError("could not connect to the database within " +
                                  std::to_string(settings.timeout.count()) + " ms",
                              Outcome::kNothingSent, "08001");
      }
      throw;
    }
    state = PQconnectPoll(connection);
  }
  if (state == PGRES_POLLING_FAILED) {
    const std::string message = message_of(connection);
    const std::string_view sqlstate = sqlstate_of_connect_failure(message);
    throw ConnectionError(message, Outcome::kNothingSent,
                          std::string(sqlstate.empty() ? "08001" : sqlstate));
  }
  session->prepare_for_use();
  return session;
}

void Session::prepare_for_use() {
  PGconn* connection = connection_.get();
  const char* encoding = PQparameterStatus(connection, "server_encoding");
  if (encoding != nullptr && std::string_view(encoding) == "SQL_ASCII") {
    // Such a server does not check what it stores, so its text may be no UTF-8 at all.
    throw ConnectionError(
        "the database has the encoding SQL_ASCII, whose text need not be valid; "
        "use a database with the encoding UTF8",
        Outcome::kNothingSent, "0A000");
  }
  if (PQsetnonblocking(connection, 1) != 0 || PQenterPipelineMode(connection) != 1) {
    throw_lost(Outcome::kNothingSent);
  }
}

}  // namespace query::detail
