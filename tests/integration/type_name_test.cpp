#include <query/statement.hpp>

#include <string>

#include "catch.hpp"
#include "database.hpp"

using query::Column;
using test::Witness;

namespace {

// Scalars, ranges, multiranges, and the pseudo-types that a column of a result can have; no rows of
// tables, no domains (a column is described by its base type).
const std::string kTypes =
    "select t.oid::text, coalesce(e.typname || '[]', t.typname) from pg_type t "
    "left join pg_type e on e.typarray = t.oid "
    "where t.oid < 10000 and t.typrelid = 0 and coalesce(e.typrelid, 0) = 0 "
    "and (t.typtype in ('b', 'r', 'm') or t.typname in ('record', '_record', 'cstring', 'void')) "
    "order by t.oid";

}  // namespace

TEST_CASE("every built-in type has the name that pg_type gives it", "[type_name]") {
  Witness witness;
  std::size_t checked = 0;
  for (const auto& row : witness.rows(kTypes)) {
    const auto oid = static_cast<query::Oid>(std::stoul(row[0].value()));
    CAPTURE(oid);
    CHECK(Column::type_name(oid) == row[1].value());
    ++checked;
  }
  CHECK(checked > 160);
}

TEST_CASE("no type that a user can make has a name", "[type_name]") {
  Witness witness;
  // Whatever else is in the catalog: rows of tables, domains, and what this database was given.
  for (const auto& row :
       witness.rows("select oid::text, typname from pg_type where oid >= 10000")) {
    CAPTURE(row[1].value());
    CHECK(Column::type_name(static_cast<query::Oid>(std::stoul(row[0].value()))).empty());
  }
}

TEST_CASE("a domain's column is described by its base type", "[type_name]") {
  Witness witness;
  witness.run("drop schema if exists type_name_test cascade");
  witness.run("create schema type_name_test");
  witness.run("create domain type_name_test.age as int");
  witness.run("create domain type_name_test.ages as numeric[]");
  query::Pool pool(test::pool_options());
  const auto result = pool.execute(
      "select 1::type_name_test.age, '{1}'::type_name_test.ages, 1.5, 'x', null, now()",
      test::within());
  REQUIRE(result.columns.size() == 6);
  CHECK(result.columns[0].type() == "int4");
  CHECK(result.columns[1].type() == "numeric[]");
  CHECK(result.columns[2].type() == "numeric");
  CHECK(result.columns[3].type() == "text");
  CHECK(result.columns[4].type() == "text");
  CHECK(result.columns[5].type() == "timestamptz");
  witness.run("drop schema type_name_test cascade");
}
