// COPY … TO STDOUT (FORMAT csv, HEADER) is the judge of CSV.

#include <string>

#include "catch.hpp"
#include "database.hpp"
#include "oracle_generators.hpp"
#include "oracle_values.hpp"

using query::JsonOptions;
using query::Pool;
using query::Statement;
using test::Witness;

namespace {

auto csv(query::Connection& connection, const std::string& sql) -> std::string {
  return test::json(connection.query(sql, test::within()), {.framing = JsonOptions::Framing::kCsv});
}

/// COPY's records with RFC 4180's line end.
auto expected(Witness& witness, const std::string& sql) -> std::string {
  std::string all;
  for (const std::string& record :
       witness.copy("copy (" + sql + ") to stdout (format csv, header)")) {
    all += record + "\r\n";
  }
  return all;
}

auto literal(const std::string& text) -> std::string {
  std::string out = "'";
  for (const char c : text) {
    out += c == '\'' ? "''" : std::string{c};
  }
  return out + "'";
}

}  // namespace

TEST_CASE("CSV is what COPY writes, for every type", "[csv_oracle]") {
  Witness witness;
  Pool pool(test::pool_options());
  auto connection = pool.acquire(test::within());
  witness.run("set xmloption = content");
  (void)connection.execute("set xmloption = content", test::within());
  std::size_t values = 0;
  for (const auto& [type, texts] : test::values_by_type()) {
    if (witness.value("select count(*) from pg_type where typnamespace = "
                      "'pg_catalog'::regnamespace and typname = " +
                      literal(type)) == "0") {
      continue;  // an older PostgreSQL
    }
    const std::string name = "pg_catalog." + (type == "char" ? "\"char\"" : type);
    std::string rows;
    for (const std::string& text : texts) {
      rows += (rows.empty() ? "(" : ",(") + literal(text) + ")";
      ++values;
    }
    const std::string sql = "select cast(x as " + name + ") as \"" + type +
                            "\", null as \"the \"\"null\"\"\", cast(x as " + name +
                            ") as \"again, again\" from (values " + rows + ") as s(x)";
    CAPTURE(type);
    CHECK(csv(connection, sql) == expected(witness, sql));
    const std::string alone = "select cast(x as " + name + ") from (values " + rows + ") as s(x)";
    CHECK(csv(connection, alone) == expected(witness, alone));
  }
  CHECK(values > 300);
}

TEST_CASE("CSV is what COPY writes, for thousands of random texts", "[csv_oracle]") {
  Witness witness;
  Pool pool(test::pool_options());
  test::Generator make(31);
  witness.run("drop table if exists csv_oracle_t");
  witness.run("create unlogged table csv_oracle_t (n serial, t text, a text[], b bytea)");
  for (int i = 0; i < 30; ++i) {
    std::string rows;
    for (int j = 0; j < 100; ++j) {
      rows += (rows.empty() ? "(" : ",(") + (make.below(9) == 0 ? "null" : literal(make.text())) +
              "," + literal(make.text_array()) + "," + literal(make.bytea()) + ")";
    }
    witness.run("insert into csv_oracle_t (t, a, b) values " + rows);
  }
  auto connection = pool.acquire(test::within());
  for (const std::string sql :
       {"select * from csv_oracle_t order by n", "select t from csv_oracle_t order by n",
        "select a, t from csv_oracle_t order by n", "select * from csv_oracle_t where false",
        "select null from csv_oracle_t", "select '\\.' as \"\\.\"", "select '\\.', '\\.'",
        "select ''", "select ' '"}) {
    CAPTURE(sql);
    const std::string got = csv(connection, sql);
    const std::string want = expected(witness, sql);
    CHECK((got == want));  // too long to print
  }
  witness.run("drop table csv_oracle_t");
}
