#pragma once

#include <cstdint>
#include <string_view>

#include <query/statement.hpp>

namespace query::detail {

/// How to_json() writes a value (PostgreSQL's json.c, datum_to_json), told by its type alone.
enum class ValueKind : std::uint8_t {
  kString,       ///< quoted and escaped: every type that is not one of the others
  kBool,         ///< true, false
  kNumber,       ///< as it is, but NaN and Infinity quoted
  kBigNumber,    ///< the same for int8 and numeric, which a double cannot hold
  kJson,         ///< json, whose text may span lines
  kJsonb,        ///< jsonb, whose text never does
  kTimestamp,    ///< with a T between date and time
  kTimestampTz,  ///< the same, with a zone of hours and minutes
  kIntVector,    ///< int2vector: [1,2]
  kOidVector,    ///< oidvector: ["1","2"]
};

struct TypeInfo {
  Oid oid = 0;
  std::string_view name{};  ///< as Column::type(): `int4`, `int4[]`; empty where unknown
  ValueKind kind = ValueKind::kString;  ///< of an array: its elements'
  bool is_array = false;
  char delimiter = ',';  ///< between an array's elements
};

/// What is known of a type by its OID alone: the built-in ones. Any other is a nameless string.
[[nodiscard]] auto type_info(Oid oid) noexcept -> TypeInfo;

}  // namespace query::detail
