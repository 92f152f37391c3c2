#include "catalog_names.hpp"

#include <algorithm>
#include <array>

namespace query::detail {

namespace {

// Everything is qualified: a role may have a search_path that leads elsewhere. IN cannot be.
//
// Callable (f) are functions; suspect (s) are other functions, and relations that run more than a
// scan (views; row security; foreign tables and whatever has one as a partition; not the views of
// the information schema, whose names are common words, and which only read).
//
// A database is closed (x) where a volatile function may run that no name in a statement tells of:
// - An operator's: IN, LIKE, CASE and != mean operators of other names, NOT may mean a negator.
//   Those of operator classes are among them.
// - A cast's, for casts may be implicit, and to_json() looks for one.
// - An operator class's own, by comparing, sorting and hashing.
// - A domain's check's: constants and parameters take the types of what they meet, an array of the
//   domain or a range over it too, and some functions are told a type by a value.
// So is one that is not in UTF-8: there the server folds and cuts names as the lexer does not.
//
// Types of extensions are code in C that a superuser has installed: they are trusted, as are
// functions that were declared not to be volatile, where they stand behind any of these.
constexpr const char* kQuestion = R"(
WITH RECURSIVE foreign_part(oid) AS (
  SELECT oid FROM pg_catalog.pg_class WHERE relkind OPERATOR(pg_catalog.=) 'f'
  UNION
  SELECT i.inhparent FROM pg_catalog.pg_inherits i, foreign_part p
  WHERE i.inhrelid OPERATOR(pg_catalog.=) p.oid
), volatile_function AS (
  SELECT oid FROM pg_catalog.pg_proc WHERE provolatile OPERATOR(pg_catalog.=) 'v'
), implicit(function) AS (
  SELECT oprcode FROM pg_catalog.pg_operator WHERE oid OPERATOR(pg_catalog.>=) 16384
  UNION ALL
  SELECT castfunc FROM pg_catalog.pg_cast WHERE oid OPERATOR(pg_catalog.>=) 16384
  UNION ALL
  SELECT amproc FROM pg_catalog.pg_amproc WHERE oid OPERATOR(pg_catalog.>=) 16384
  UNION ALL
  SELECT called[1]::pg_catalog.oid
  FROM pg_catalog.pg_constraint,
       pg_catalog.regexp_matches(conbin::pg_catalog.text, ':(?:op)?funcid ([0-9]+)', 'g') called
  WHERE contypid OPERATOR(pg_catalog.<>) 0
)
SELECT CASE WHEN pg_catalog.bool_and(oid OPERATOR(pg_catalog.<) 16384
                                     AND pronamespace OPERATOR(pg_catalog.=) 11
                                     AND provolatile OPERATOR(pg_catalog.<>) 'v')
       THEN 'f' ELSE 's' END, proname
FROM pg_catalog.pg_proc GROUP BY proname
UNION ALL
SELECT 's', relname FROM pg_catalog.pg_class
WHERE relkind OPERATOR(pg_catalog.=) 'v' AND (relnamespace OPERATOR(pg_catalog.=) 11
                                              OR oid OPERATOR(pg_catalog.>=) 16384)
   OR relrowsecurity OR oid OPERATOR(pg_catalog.=) ANY (SELECT oid FROM foreign_part)
UNION ALL
SELECT 'x', '' WHERE EXISTS (
  SELECT FROM implicit
  WHERE function OPERATOR(pg_catalog.=) ANY (SELECT oid FROM volatile_function))
UNION ALL
SELECT 'x', '' FROM pg_catalog.pg_database
WHERE datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
  AND pg_catalog.pg_encoding_to_char(encoding) OPERATOR(pg_catalog.<>) 'UTF8'
)";

/// Built in and not volatile, and yet not for a session that is shared: they tell of the session
/// (its settings, its transaction, its backend).
constexpr std::array<std::string_view, 14> kNotShared = {
    "current_setting",
    "inet_client_port",
    "pg_backend_pid",
    "pg_current_xact_id",
    "pg_current_xact_id_if_assigned",
    "pg_cursor",
    "pg_is_other_temp_schema",
    "pg_listening_channels",
    "pg_my_temp_schema",
    "pg_prepared_statement",
    "pg_show_all_settings",
    "pg_stat_get_backend_idset",
    "txid_current",
    "txid_current_if_assigned",
};

auto is_shared(std::string_view function) -> bool {
  // table_to_xml and its kin read what they are told to, views too.
  return function.find("_to_xml") == std::string_view::npos &&
         std::find(kNotShared.begin(), kNotShared.end(), function) == kNotShared.end();
}

}  // namespace

auto CatalogNames::question() -> const char* { return kQuestion; }

CatalogNames::CatalogNames(const PGresult* answer) {
  for (int row = 0; row < PQntuples(answer); ++row) {
    const char kind = *PQgetvalue(answer, row, 0);
    std::string name = PQgetvalue(answer, row, 1);
    if (kind == 'x') {
      closed_ = true;
    } else if (kind == 'f' && is_shared(name)) {
      callable_.insert(std::move(name));
    } else {
      suspect_.insert(std::move(name));
    }
  }
}

auto CatalogNames::prove(const StatementText& statement) const -> bool {
  const auto in = [](const Names& names) {
    return [&names](const std::string& name) { return names.contains(name); };
  };
  return !closed_ && statement.reads &&
         std::all_of(statement.calls.begin(), statement.calls.end(), in(callable_)) &&
         std::none_of(statement.names.begin(), statement.names.end(), in(suspect_));
}

}  // namespace query::detail
