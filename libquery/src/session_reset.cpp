// How a session becomes as new between leases, and how its prepared statements leave.
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "diagnostics.hpp"
#include "session.hpp"

namespace query::detail {

namespace {

/// DISCARD ALL, less the plans, in its order; of which a SELECT has to do the advisory locks.
struct ResetCommand {
  const char* name;  // as a prepared statement
  const char* sql;
};
constexpr std::array<ResetCommand, 6> kReset{{
    {"reset_1", "CLOSE ALL"},
    {"reset_2", "RESET SESSION AUTHORIZATION"},
    {"reset_3", "RESET ALL"},
    {"reset_4", "UNLISTEN *"},
    {"reset_5", "DISCARD TEMP"},
    {"reset_6", "DISCARD SEQUENCES"},
}};
constexpr const char* kUnlock = "SELECT pg_catalog.pg_advisory_unlock_all()";

/// The same; fails, with a message for the server's log, where a user has prepared statements.
constexpr const char* kUnlockAndCheck =
    "SELECT pg_catalog.pg_advisory_unlock_all(), "
    "(SELECT ('prepared by a user: ' OPERATOR(pg_catalog.||) name)::pg_catalog.int4 "
    "FROM pg_catalog.pg_prepared_statement() WHERE from_sql)";

/// Prepared statements to drop: those that a user made with SQL's PREPARE, and those evicted here.
constexpr const char* kFindStatements =
    "SELECT name FROM pg_catalog.pg_prepared_statement() "
    "WHERE from_sql OR name OPERATOR(pg_catalog.=) ANY($1::pg_catalog.text[])";

auto quoted_identifier(std::string_view name) -> std::string {
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"') {
      quoted.push_back('"');
    }
    quoted.push_back(c);
  }
  return quoted + "\"";
}

}  // namespace

void Session::roll_back_in_passing() {
  queue_command("ROLLBACK");
  sync();
  ++passing_;
  (void)PQflush(connection_.get());
}

void Session::reset() {
  if (transaction_status() != PQTRANS_IDLE) {
    roll_back_in_passing();
  }
  quick_reset_ = statements_.enabled() && statements_.evicted().empty();
  if (quick_reset_) {
    queue_quick_reset();
  } else {
    for (const ResetCommand& command : kReset) {
      queue_command(command.sql);
    }
    queue_command(kUnlock);
    queue_search_for_statements();
  }
  sync();
  ++passing_;
  last_words_.clear();  // a user may have raised them
  last_words_sqlstate_.clear();
  (void)PQflush(connection_.get());
}

/// Prepared, the reset costs half. A user could put others in the place of its statements, but only
/// such as SQL's PREPARE makes: the check comes first, and its failure keeps the rest from running.
/// It is the unnamed statement, which SQL does not reach.
void Session::queue_quick_reset() {
  if (!check_prepared_) {
    queue_prepare("", kUnlockAndCheck);
    check_prepared_ = true;
  }
  queue_execute("", {});
  for (const ResetCommand& command : kReset) {
    if (!reset_prepared_) {
      queue_prepare(command.name, command.sql);
    }
    queue_execute(command.name, {});
  }
  reset_prepared_ = true;
}

/// What to do instead where that failed.
void Session::reset_anew() {
  reset_prepared_ = false;
  for (const ResetCommand& command : kReset) {
    statements_.evicted().emplace_back(command.name);
  }
  reset();
}

void Session::queue_search_for_statements() {
  std::string names = "{";
  for (const std::string& name : std::exchange(statements_.evicted(), {})) {
    names += (names.size() > 1 ? "," : "") + name;
  }
  names += "}";
  queue_query(kFindStatements, {names.c_str()});
}

void Session::settle(const Patience& patience) {
  std::vector<std::string> superfluous;
  const bool quick_reset = std::exchange(quick_reset_, false);
  bool again = false;
  for (; passing_ > 0; --passing_) {
    for (;;) {
      const ResultHandle result = receive(patience);
      const ExecStatusType status = result ? PQresultStatus(result.get()) : PGRES_COMMAND_OK;
      if (status == PGRES_PIPELINE_SYNC) {
        break;
      }
      if (status == PGRES_FATAL_ERROR && quick_reset) {
        again = true;
      } else if (status == PGRES_FATAL_ERROR) {
        doubt();
        const Diagnostics diagnostics = diagnostics_of(result.get());
        throw ConnectionError("the session could not be reset: " + diagnostics.message,
                              Outcome::kNothingSent, diagnostics.sqlstate);
      }
      const std::string_view column = status == PGRES_TUPLES_OK ? PQfname(result.get(), 0) : "";
      for (int row = 0; column == "name" && row < PQntuples(result.get()); ++row) {
        superfluous.emplace_back(PQgetvalue(result.get(), row, 0));
      }
    }
  }
  if (again) {
    reset_anew();
    return settle(patience);
  }
  drop_statements(superfluous, patience);
}

void Session::drop_evicted_statements(const Patience& patience) {
  constexpr std::size_t kMany = 64;
  if (statements_.evicted().size() >= kMany) {
    queue_search_for_statements();
    sync();
    ++passing_;
    settle(patience);
  }
}

void Session::drop_statements(const std::vector<std::string>& names, const Patience& patience) {
  if (names.empty()) {
    return;
  }
  for (const std::string& name : names) {
    queue_command(("DEALLOCATE " + quoted_identifier(name)).c_str());
  }
  sync();
  drain(patience);
}

}  // namespace query::detail
