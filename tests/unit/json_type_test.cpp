#include <query/statement.hpp>

#include <set>
#include <string>

#include "catch.hpp"
#include "json_type.hpp"

using query::Column;
using query::detail::type_info;
using query::detail::ValueKind;

TEST_CASE("well-known types have PostgreSQL's names", "[json_type]") {
  CHECK(Column::type_name(16) == "bool");
  CHECK(Column::type_name(23) == "int4");
  CHECK(Column::type_name(25) == "text");
  CHECK(Column::type_name(1007) == "int4[]");
  CHECK(Column::type_name(1184) == "timestamptz");
  CHECK(Column::type_name(1700) == "numeric");
  CHECK(Column::type_name(3802) == "jsonb");
  CHECK(Column{.name = "tags", .oid = 1009}.type() == "text[]");
}

TEST_CASE("a type that is not built in has no name and is a string", "[json_type]") {
  for (const query::Oid oid : {0U, 1U, 15U, 9999U, 16384U, 4294967295U}) {
    CAPTURE(oid);
    CHECK(Column::type_name(oid).empty());
    CHECK(type_info(oid).kind == ValueKind::kString);
    CHECK_FALSE(type_info(oid).is_array);
    CHECK(type_info(oid).oid == oid);
  }
}

TEST_CASE("names are unique, and only an array's ends in brackets", "[json_type]") {
  std::set<std::string> names;
  std::size_t arrays = 0;
  for (query::Oid oid = 1; oid < 12'000; ++oid) {
    const auto info = type_info(oid);
    if (info.name.empty()) {
      continue;
    }
    CAPTURE(oid, info.name);
    CHECK(names.insert(std::string(info.name)).second);
    CHECK(info.name.ends_with("[]") == info.is_array);
    arrays += info.is_array ? 1 : 0;
  }
  CHECK(names.size() > 150);
  CHECK(arrays > 70);
}

TEST_CASE("an array's elements are written as its element type is", "[json_type]") {
  std::set<std::pair<std::string, ValueKind>> elements;
  for (query::Oid oid = 1; oid < 12'000; ++oid) {
    if (const auto info = type_info(oid); !info.name.empty() && !info.is_array) {
      elements.emplace(std::string(info.name), info.kind);
    }
  }
  for (query::Oid oid = 1; oid < 12'000; ++oid) {
    const auto info = type_info(oid);
    if (!info.is_array) {
      continue;
    }
    const std::string element(info.name.substr(0, info.name.size() - 2));
    CAPTURE(oid, element);
    CHECK(elements.count({element, info.kind}) == 1);
    CHECK((info.delimiter == ';') == (element == "box"));
  }
}
