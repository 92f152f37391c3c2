#include <query/error.hpp>

#include <string>

#include "catch.hpp"
#include "diagnostics.hpp"

using query::ConnectionError;
using query::Diagnostics;
using query::Outcome;
using query::SqlError;
using query::Timeout;
using query::detail::ends_connection;
using query::detail::sqlstate_of_connect_failure;

namespace {

auto sql_error(const std::string& sqlstate) -> SqlError {
  Diagnostics diagnostics;
  diagnostics.severity = "ERROR";
  diagnostics.sqlstate = sqlstate;
  diagnostics.message = "message of " + sqlstate;
  return SqlError(diagnostics);
}

auto ends(const std::string& severity, const std::string& sqlstate) -> bool {
  Diagnostics diagnostics;
  diagnostics.severity = severity;
  diagnostics.sqlstate = sqlstate;
  return ends_connection(diagnostics);
}

}  // namespace

TEST_CASE("only a rollback by the server makes an SQL error retryable", "[error]") {
  CHECK(sql_error("40001").retryable());
  CHECK(sql_error("40P01").retryable());
  // 40003 is "statement completion unknown": a retry may do the work twice.
  for (const char* state :
       {"40002", "40003", "23505", "42P01", "57014", "55P03", "25006", "22012"}) {
    CAPTURE(state);
    CHECK_FALSE(sql_error(state).retryable());
    CHECK_FALSE(sql_error(state).connection_lost());
    CHECK_FALSE(sql_error(state).outcome_unknown());
  }
}

TEST_CASE("an SQL error carries its SQLSTATE, its message and its place in the batch", "[error]") {
  const SqlError plain = sql_error("23505");
  CHECK(plain.sqlstate() == "23505");
  CHECK(std::string(plain.what()) == "message of 23505");
  CHECK_FALSE(plain.statement().has_value());
  CHECK(SqlError(plain.diagnostics(), 4).statement() == std::size_t{4});
}

TEST_CASE("a lost connection is retryable only when nothing had been sent", "[error]") {
  const ConnectionError before("no", Outcome::kNothingSent, "08001");
  CHECK(before.retryable());
  CHECK(before.connection_lost());
  CHECK_FALSE(before.outcome_unknown());
  const ConnectionError after("gone", Outcome::kUnknown, "57P01");
  CHECK_FALSE(after.retryable());
  CHECK(after.connection_lost());
  CHECK(after.outcome_unknown());
  CHECK(after.sqlstate() == "57P01");
}

TEST_CASE("a timeout is never retryable by itself, and says when nobody knows the outcome",
          "[error]") {
  CHECK_FALSE(Timeout("late").outcome_unknown());
  CHECK(Timeout("late", Outcome::kUnknown).outcome_unknown());
  CHECK_FALSE(Timeout("late").retryable());
}

TEST_CASE("everything is a query::Error, and Busy is worth a retry", "[error]") {
  CHECK(query::Busy("full").retryable());
  CHECK_FALSE(query::Interrupted("stop").retryable());
  const auto is_error = [](const query::Error& error) { return std::string(error.what()); };
  CHECK(is_error(query::Busy("full")) == "full");
  CHECK(is_error(query::Interrupted("stop")) == "stop");
  CHECK(is_error(Timeout("late")) == "late");
}

TEST_CASE("errors that end a connection are told from those that do not", "[error]") {
  for (const char* state :
       {"57P01", "57P02", "57P03", "57P04", "57P05", "08006", "08P01", "25P03", "25P04"}) {
    CAPTURE(state);
    CHECK(ends("WARNING", state));
    CHECK_FALSE(ends("ERROR", state));
  }
  // 40001 as FATAL is a recovery conflict on a standby: the severity decides.
  CHECK(ends("FATAL", "40001"));
  CHECK(ends("PANIC", "XX000"));
  for (const char* state :
       {"57014", "40001", "25P02", "25P01", "25006", "42601", "53300", "55P03", ""}) {
    CAPTURE(state);
    CHECK_FALSE(ends("ERROR", state));
  }
  CHECK_FALSE(ends("WARNING", "01000"));
}

TEST_CASE("a failed connection's text gives the SQLSTATE that libpq withholds", "[error]") {
  const auto state = [](std::string_view reason) {
    return std::string(sqlstate_of_connect_failure(
        "connection to server at \"db\" (10.0.0.1), port 5432 failed: FATAL:  " +
        std::string(reason)));
  };
  CHECK(state("password authentication failed for user \"app\"") == "28P01");
  CHECK(state("no pg_hba.conf entry for host \"10.0.0.9\", user \"app\"") == "28000");
  CHECK(state("role \"nobody\" does not exist") == "28000");
  CHECK(state("role \"nobody\" is not permitted to log in") == "28000");
  CHECK(state("database \"nowhere\" does not exist") == "3D000");
  CHECK(state("sorry, too many clients already") == "53300");
  CHECK(state("remaining connection slots are reserved for non-replication superuser "
              "connections") == "53300");
  CHECK(state("too many connections for role \"app\"") == "53300");
  CHECK(state("too many connections for database \"app\"") == "53300");
  CHECK(state("the database system is starting up") == "57P03");
  CHECK(state("the database system is shutting down") == "57P03");
  CHECK(state("the database system is in recovery mode") == "57P03");
  CHECK(state("permission denied for database \"secret\"") == "42501");
  CHECK(sqlstate_of_connect_failure("Connection refused").empty());
  CHECK(sqlstate_of_connect_failure("").empty());
  // A name chosen by an administrator decides nothing.
  CHECK(state("password authentication failed for user \"database \"\"x\"") == "28P01");
  CHECK(sqlstate_of_connect_failure(
            "connection to server at \"h\", port 5432 failed: FATAL:  database \"x\" is not "
            "currently accepting connections") == "");
}
