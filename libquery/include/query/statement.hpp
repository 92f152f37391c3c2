#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <query/export.hpp>
#include <query/params.hpp>

namespace query {

/// A type's number in PostgreSQL's catalog pg_type.
using Oid = std::uint32_t;

/// One SQL statement and the values of its parameters. More than one statement in `sql` is
/// refused by PostgreSQL (42601), for only the extended protocol is used.
struct Statement {
  Statement(std::string text, Params values = {})  // NOLINT(google-explicit-constructor)
      : sql(std::move(text)), params(std::move(values)) {}
  Statement(const char* text, Params values = {})  // NOLINT(google-explicit-constructor)
      : sql(text), params(std::move(values)) {}

  std::string sql;
  Params params;
};

/// A column of a result. A domain is described by its base type, as PostgreSQL does.
struct Column {
  std::string name{};
  Oid oid = 0;

  /// The type's name for a built-in type (`int4`, `text[]`), empty for any other.
  [[nodiscard]] auto type() const noexcept -> std::string_view { return type_name(oid); }

  /// The name of a built-in type by its OID, empty for any other.
  [[nodiscard]] QUERY_EXPORT static auto type_name(Oid oid) noexcept -> std::string_view;
};

}  // namespace query
