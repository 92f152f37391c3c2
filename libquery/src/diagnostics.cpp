#include "diagnostics.hpp"

#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

namespace query {

auto SqlError::retryable() const noexcept -> bool {
  return sqlstate() == "40001" || sqlstate() == "40P01";
}

}  // namespace query

namespace query::detail {

namespace {

auto field(const PGresult* result, int code) -> std::string {
  const char* text = PQresultErrorField(result, code);
  return text == nullptr ? std::string() : std::string(text);
}

auto number(const PGresult* result, int code) -> std::optional<int> {
  const char* text = PQresultErrorField(result, code);
  int value = 0;
  if (text == nullptr || std::from_chars(text, text + std::strlen(text), value).ec != std::errc{}) {
    return std::nullopt;
  }
  return value;
}

auto without_line_end(std::string text) -> std::string {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) {
    text.pop_back();
  }
  return text;
}

}  // namespace

auto diagnostics_of(const PGresult* result) -> Diagnostics {
  Diagnostics diagnostics{
      .severity = field(result, PG_DIAG_SEVERITY_NONLOCALIZED),
      .sqlstate = field(result, PG_DIAG_SQLSTATE),
      .message = field(result, PG_DIAG_MESSAGE_PRIMARY),
      .detail = field(result, PG_DIAG_MESSAGE_DETAIL),
      .hint = field(result, PG_DIAG_MESSAGE_HINT),
      .position = number(result, PG_DIAG_STATEMENT_POSITION),
      .internal_position = number(result, PG_DIAG_INTERNAL_POSITION),
      .internal_query = field(result, PG_DIAG_INTERNAL_QUERY),
      .context = field(result, PG_DIAG_CONTEXT),
      .schema = field(result, PG_DIAG_SCHEMA_NAME),
      .table = field(result, PG_DIAG_TABLE_NAME),
      .column = field(result, PG_DIAG_COLUMN_NAME),
      .datatype = field(result, PG_DIAG_DATATYPE_NAME),
      .constraint = field(result, PG_DIAG_CONSTRAINT_NAME),
      .source_file = field(result, PG_DIAG_SOURCE_FILE),
      .source_line = field(result, PG_DIAG_SOURCE_LINE),
      .source_function = field(result, PG_DIAG_SOURCE_FUNCTION),
  };
  if (diagnostics.message.empty()) {  // libpq's own errors have no fields
    diagnostics.message = without_line_end(PQresultErrorMessage(result));
  }
  return diagnostics;
}

auto ends_connection(const Diagnostics& diagnostics) noexcept -> bool {
  const std::string& state = diagnostics.sqlstate;
  if (diagnostics.severity == "ERROR") {
    return false;  // too few parameters (08P01), or a function that raises a code of its choice
  }
  return diagnostics.severity == "FATAL" || diagnostics.severity == "PANIC" ||
         state.starts_with("08") || state.starts_with("57P") || state == "25P03" ||
         state == "25P04";
}

auto is_lost_plan(const Diagnostics& diagnostics) noexcept -> bool {
  const bool gone =
      diagnostics.sqlstate == "26000" && diagnostics.message.find("\"query_") != std::string::npos;
  return gone || (diagnostics.sqlstate == "0A000" &&
                  diagnostics.source_function == "RevalidateCachedQuery");
}

auto message_of(const PGconn* connection) -> std::string {
  std::string message = without_line_end(PQerrorMessage(connection));
  return message.empty() ? "the connection to the database was lost" : message;
}

auto sqlstate_of_connect_failure(std::string_view message) noexcept -> std::string_view {
  // PostgreSQL's source texts: auth.c, postinit.c, postmaster.c, proc.c.
  constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kTexts{{
      {"password authentication failed", "28P01"},
      {"no password supplied", "28P01"},
      {"no pg_hba.conf entry", "28000"},
      {"Peer authentication failed", "28000"},
      {"Ident authentication failed", "28000"},
      {"is not permitted to log in", "28000"},
      {"too many connections for role", "53300"},
      {"too many connections for database", "53300"},
      {"too many clients", "53300"},
      {"remaining connection slots are reserved", "53300"},
      {"the database system is", "57P03"},
      {"permission denied for database", "42501"},
      {"database \"", "3D000"},
      {"role \"", "28000"},
  }};
  for (const auto& [text, sqlstate] : kTexts) {
    const auto at = message.find(text);
    if (at == std::string_view::npos) {
      continue;
    }
    // These two name any database and role; only their absence is meant.
    if ((sqlstate == "3D000" || text == "role \"") &&
        message.find("does not exist", at) == std::string_view::npos) {
      continue;
    }
    return sqlstate;
  }
  return {};
}

}  // namespace query::detail
