#include "catalog_names.hpp"

#include <algorithm>
#include <array>

namespace query::detail {

namespace {

// Everything is qualified: a role may have a search_path that leads elsewhere.
//
// A database is closed (x) where code of its own may run that no name in a statement tells of, and
// is volatile: by a cast, or by comparing, sorting and hashing. So is one with an encoding of
// single bytes, where the server folds letters that the lexer does not.
//
// Suspect (s), besides functions: relations that run more than a scan (views; row security;
// foreign tables and whatever has one as a partition; not those of the information schema, whose
// names are common words, and which only read), and domains, whose checks are expressions.
// A composite type (c) with a domain in it runs these too, when it is cast to. Types of extensions
// are code in C that a superuser has installed: they are trusted, as are functions that were
// declared not to be volatile, where they stand behind a cast or an operator.
constexpr const char* kQuestion = R"(
WITH RECURSIVE foreign_part(oid) AS (
  SELECT oid FROM pg_catalog.pg_class WHERE relkind OPERATOR(pg_catalog.=) 'f'
  UNION
  SELECT i.inhparent FROM pg_catalog.pg_inherits i, foreign_part p
  WHERE i.inhrelid OPERATOR(pg_catalog.=) p.oid
), volatile_function AS (
  SELECT oid FROM pg_catalog.pg_proc WHERE provolatile OPERATOR(pg_catalog.=) 'v'
), own_domain AS (
  SELECT oid FROM pg_catalog.pg_type WHERE typtype OPERATOR(pg_catalog.=) 'd'
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
   OR relrowsecurity OR oid IN (SELECT oid FROM foreign_part)
UNION ALL
SELECT 's', typname FROM pg_catalog.pg_type WHERE oid IN (SELECT oid FROM own_domain)
UNION ALL
SELECT 'c', t.typname FROM pg_catalog.pg_type t, pg_catalog.pg_attribute a
WHERE a.attrelid OPERATOR(pg_catalog.=) t.typrelid AND a.atttypid IN (SELECT oid FROM own_domain)
UNION ALL
SELECT 'o', oprname FROM pg_catalog.pg_operator
WHERE oid OPERATOR(pg_catalog.>=) 16384 AND oprcode IN (SELECT oid FROM volatile_function)
UNION ALL
SELECT 'x', '' FROM pg_catalog.pg_cast
WHERE oid OPERATOR(pg_catalog.>=) 16384 AND castfunc IN (SELECT oid FROM volatile_function)
UNION ALL
SELECT 'x', '' FROM pg_catalog.pg_amproc
WHERE oid OPERATOR(pg_catalog.>=) 16384 AND amproc IN (SELECT oid FROM volatile_function)
UNION ALL
SELECT 'x', '' FROM pg_catalog.pg_amop a, pg_catalog.pg_operator o
WHERE o.oid OPERATOR(pg_catalog.=) a.amopopr AND o.oid OPERATOR(pg_catalog.>=) 16384
  AND o.oprcode IN (SELECT oid FROM volatile_function)
UNION ALL
SELECT 'x', '' FROM pg_catalog.pg_database
WHERE datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
  AND encoding OPERATOR(pg_catalog.<>) 0
  AND pg_catalog.pg_encoding_max_length(encoding) OPERATOR(pg_catalog.=) 1
)";

/// Built in and not volatile, and yet not for a session that is shared: they tell of the session
/// (its settings, its transaction, its backend), or run whatever an argument names.
constexpr std::array<std::string_view, 21> kNotShared = {
    "current_setting",
    "inet_client_port",
    "json_populate_record",  // the input of a type that is named by a value
    "json_populate_recordset",
    "jsonb_populate_record",
    "jsonb_populate_record_valid",
    "jsonb_populate_recordset",
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
    "set_config",
    "ts_stat",
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
    } else if (kind == 'f' || kind == 's') {
      suspect_.insert(std::move(name));
    } else if (kind == 'c') {
      composite_.insert(std::move(name));
    } else {
      operators_.insert(std::move(name));
    }
  }
}

auto CatalogNames::prove(const StatementText& statement) const -> bool {
  const auto in = [](const Names& names) {
    return [&names](const std::string& name) { return names.contains(name); };
  };
  return !closed_ && statement.reads &&
         std::all_of(statement.calls.begin(), statement.calls.end(), in(callable_)) &&
         std::none_of(statement.names.begin(), statement.names.end(), in(suspect_)) &&
         std::none_of(statement.operators.begin(), statement.operators.end(), in(operators_)) &&
         !(statement.casts &&
           std::any_of(statement.names.begin(), statement.names.end(), in(composite_)));
}

}  // namespace query::detail
