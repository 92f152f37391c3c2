// PostgreSQL's own to_json() is the judge of every value that JsonStream writes.

#include <algorithm>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "catch.hpp"
#include "database.hpp"
#include "oracle_generators.hpp"
#include "oracle_values.hpp"

using query::JsonOptions;
using query::Pool;
using test::Texts;
using test::Witness;

namespace {

auto literal(const std::string& text) -> std::string {
  std::string out = "'";
  for (const char c : text) {
    out += c == '\'' ? "''" : std::string{c};
  }
  return out + "'";
}

/// Compares the library's text of values with to_json()'s, for any number of selections.
class Oracle {
 public:
  Oracle() : pool_(test::pool_options()) {
    witness_.run("drop schema if exists json_oracle cascade");
    witness_.run("create schema json_oracle");
    witness_.run("set xmloption = content");
  }
  ~Oracle() { witness_.run("drop schema json_oracle cascade"); }
  Oracle(const Oracle&) = delete;
  auto operator=(const Oracle&) -> Oracle& = delete;

  auto witness() -> Witness& { return witness_; }

  /// Makes a table of these texts as values of `type`, in order.
  void fill(const std::string& table, const std::string& type, const Texts& texts) {
    witness_.run("create unlogged table json_oracle." + table + " (n serial, v " + type + ")");
    constexpr std::size_t kPortion = 500;
    for (std::size_t begin = 0; begin < texts.size(); begin += kPortion) {
      std::string list;
      for (std::size_t i = begin; i < std::min(begin + kPortion, texts.size()); ++i) {
        list += (list.empty() ? "(" : ",(") + literal(texts[i]) + ")";
      }
      witness_.run("insert into json_oracle." + table + " (v) select cast(x as " + type +
                   ") from (values " + list + ") as s(x)");
    }
  }

  /// Counts the values compared; each difference fails the test with both texts.
  void compare(const std::string& what, const std::string& values) {
    const auto expected =
        witness_.rows("select pg_catalog.to_json(v)::text, v::text from (" + values + ") s");
    compare_with(what, values, expected);
  }

  /// The same for the documented differences: the value's text as a JSON string is expected.
  void compare_text(const std::string& what, const std::string& values) {
    const auto expected =
        witness_.rows("select pg_catalog.to_json(v::text)::text, v::text from (" + values + ") s");
    compare_with(what, values, expected);
    INFO(what << ": if these are equal, it is no difference any more");
    CHECK(expected.at(0).at(0).value_or("null") !=
          witness_.value("select pg_catalog.to_json(v)::text from (" + values + ") s"));
  }

  /// Both sessions speak in this zone from now on.
  void set_zone(const std::string& zone) {
    witness_.run("set timezone to " + literal(zone));
    zone_ = zone;
  }

  [[nodiscard]] auto compared() const -> std::size_t { return compared_; }

 private:
  void compare_with(const std::string& what, const std::string& values,
                    const std::vector<Witness::Row>& expected) {
    JsonOptions arrays;
    arrays.rows = JsonOptions::RowShape::kArrays;
    auto connection = pool_.acquire(test::within());
    (void)connection.execute("set xmloption = content", test::within());
    (void)connection.execute("set timezone to " + literal(zone_), test::within());
    const std::string statement = "select v from (" + values + ") s";
    const std::string document = test::json(connection.query(statement, test::within()), arrays);
    JsonOptions lines = arrays;
    lines.framing = JsonOptions::Framing::kLines;
    const std::string ndjson = test::json(connection.query(statement, test::within()), lines);

    INFO(what);
    const std::string head = "\"rows\":[";
    std::size_t at = document.find(head);
    REQUIRE(at != std::string::npos);
    at += head.size();
    std::size_t at_line = 0;
    std::size_t row = 0;
    for (const auto& record : expected) {
      const std::string value = record.at(0).value_or("null");
      const std::string in_document = (row > 0 ? ",[" : "[") + value + "]";
      if (document.compare(at, in_document.size(), in_document) != 0) {
        INFO("row " << row << ", text " << record.at(1).value_or("NULL") << "\nexpected "
                    << in_document << "\ngot      "
                    << document.substr(at, in_document.size() + 40));
        FAIL("the document differs from to_json()");
      }
      at += in_document.size();
      std::string in_line = "[" + value + "]\n";
      std::replace_if(
          in_line.begin(), in_line.end() - 1, [](char c) { return c == '\n' || c == '\r'; }, ' ');
      if (ndjson.compare(at_line, in_line.size(), in_line) != 0) {
        INFO("row " << row << "\nexpected " << in_line << "\ngot      "
                    << ndjson.substr(at_line, in_line.size() + 40));
        FAIL("the NDJSON line differs from to_json()");
      }
      at_line += in_line.size();
      ++row;
    }
    CHECK(document.substr(at) ==
          "],\"command\":\"SELECT\",\"row_count\":" + std::to_string(row) + "}");
    CHECK(at_line == ndjson.size());
    CHECK(row > 0);
    compared_ += row;
  }

  Witness witness_;
  Pool pool_;
  std::string zone_ = "UTC";
  std::size_t compared_ = 0;
};

struct Type {
  std::string name;
  std::string sql;    // qualified, without any implied length
  std::string array;  // the array type, qualified; empty if there is none
};

/// Every scalar type that PostgreSQL brings along.
auto built_in_types(Witness& witness) -> std::vector<Type> {
  std::vector<Type> types;
  for (const auto& row : witness.rows(
           "select t.typname, 'pg_catalog.' || quote_ident(t.typname), "
           "       'pg_catalog.' || quote_ident(a.typname) "
           "from pg_type t left join pg_type a on a.oid = t.typarray "
           "where t.typnamespace = 'pg_catalog'::regnamespace and t.oid < 10000 "
           "  and t.typtype in ('b', 'r', 'm') "
           "  and not exists (select from pg_type e where e.typarray = t.oid) order by t.oid")) {
    types.push_back({row[0].value(), row[1].value(), row[2].value_or("")});
  }
  return types;
}

auto texts(std::size_t count, const std::function<std::string()>& make) -> Texts {
  Texts all;
  for (std::size_t i = 0; i < count; ++i) {
    all.push_back(make());
  }
  return all;
}

}  // namespace

TEST_CASE("every built-in type and its array print as to_json prints them", "[json_oracle]") {
  Oracle oracle;
  const auto types = built_in_types(oracle.witness());
  CHECK(types.size() > 80);
  std::size_t covered = 0;
  std::size_t without_input = 0;
  for (const Type& type : types) {
    CAPTURE(type.name);
    if (test::types_without_input().count(type.name) == 1) {
      ++without_input;
      continue;
    }
    const auto values = test::values_by_type().find(type.name);
    if (values == test::values_by_type().end()) {
      FAIL_CHECK("this PostgreSQL has a type without values in oracle_values.hpp: " << type.name);
      continue;
    }
    const std::string table = "t_" + std::to_string(covered++);
    oracle.fill(table, type.sql, values->second);
    const std::string from = " from json_oracle." + table;
    oracle.compare(type.name, "select v" + from + " union all select null::" + type.sql);
    if (type.array.empty()) {
      continue;
    }
    // Built from the text form, for ARRAY[…] would take the vectors' elements instead.
    const std::string element =
        "('\"' || replace(replace(v::text, '\\', '\\\\'), '\"', '\\\"') || '\"')";
    const std::string delimiter = oracle.witness().value(
        "select typdelim from pg_type where oid = '" + type.sql + "'::regtype");
    const auto array = [&](const std::string& text) {
      return " union all select (" + text + ")::" + type.array + from;
    };
    oracle.compare(
        type.name + "[]",
        "select '{}'::" + type.array + " as v union all select null::" + type.array +
            " union all select '{NULL}'::" + type.array + array("'{' || " + element + " || '}'") +
            array("'{' || " + element + " || '" + delimiter + "NULL" + delimiter + "' || " +
                  element + " || '}'") +
            array("'{{NULL" + delimiter + "' || " + element + " || '}" + delimiter + "{' || " +
                  element + " || '" + delimiter + "NULL}}'") +
            array("'[0:1]={' || " + element + " || '" + delimiter + "' || " + element + " || '}'") +
            array("'[-3:-3][7:7][1:1]={{{' || " + element + " || '}}}'") +
            " union all select ('{' || string_agg(" + element + ", '" + delimiter +
            "' order by n) || '}')::" + type.array + from);
  }
  CHECK(covered + without_input == types.size());
}

TEST_CASE("types without input print as to_json prints what the catalog holds", "[json_oracle]") {
  Oracle oracle;
  auto& witness = oracle.witness();
  oracle.compare("pg_node_tree",
                 "select adbin as v from pg_attrdef union all select ev_action from pg_rewrite "
                 "where ev_class < 16384");
  witness.run("create table json_oracle.s (a int, b int, c int)");
  witness.run(
      "insert into json_oracle.s select i % 7, i % 7, i % 11 from generate_series(1, 2000) i");
  witness.run(
      "create statistics json_oracle.st (ndistinct, dependencies, mcv) on a, b, c from "
      "json_oracle.s");
  witness.run("analyze json_oracle.s");
  for (const char* column : {"stxdndistinct", "stxddependencies", "stxdmcv"}) {
    oracle.compare(column, std::string("select ") + column + " as v from pg_statistic_ext_data");
  }
}

TEST_CASE("pseudo-types that a column can have print as to_json prints them", "[json_oracle]") {
  Oracle oracle;
  oracle.compare("void", "select pg_sleep(0) as v");
  oracle.compare("cstring", "select int4out(7) as v");
  oracle.compare("cstring[]", "select array[int4out(7), null, textout('a \"b\"')]::cstring[] as v");
  oracle.compare("literal", "select 'plain' as v");
  oracle.compare("null", "select null as v");
}

TEST_CASE("user-defined scalars and domains print as to_json prints them", "[json_oracle]") {
  Oracle oracle;
  auto& witness = oracle.witness();
  witness.run("create type json_oracle.mood as enum ('sad', 'so \"so\"', 'h\\appy')");
  witness.run("create domain json_oracle.age as int check (value > 0)");
  witness.run("create domain json_oracle.ages as int[]");
  witness.run("create domain json_oracle.price as numeric(10,2)");
  witness.run("create domain json_oracle.moment as timestamptz");
  witness.run("create type json_oracle.moods as range (subtype = json_oracle.mood)");
  oracle.compare("enum", "select unnest(enum_range(null::json_oracle.mood)) as v");
  oracle.compare("domain over int4", "select 7::json_oracle.age as v");
  oracle.compare("domain over int4[]", "select '{{1,NULL},{3,4}}'::json_oracle.ages as v");
  oracle.compare("domain over numeric", "select 1.1::json_oracle.price as v");
  oracle.compare("domain over timestamptz",
                 "select '2024-01-02 03:04:05+00'::json_oracle.moment as v");
  oracle.compare("range over enum", "select json_oracle.moods('sad', 'h\\appy') as v");
  oracle.compare("information_schema's domains",
                 "select 'x'::information_schema.sql_identifier as v union all select 'y\"'");
  oracle.compare("yes_or_no", "select 'YES'::information_schema.yes_or_no as v");
  oracle.compare("time_stamp",
                 "select '2024-01-02 03:04:05.67+00'::information_schema.time_stamp as v");
}

TEST_CASE("the documented differences are these and no others", "[json_oracle]") {
  Oracle oracle;
  auto& witness = oracle.witness();
  witness.run("create type json_oracle.mood as enum ('sad', 'so so')");
  witness.run("create type json_oracle.pair as (a int, b text)");
  witness.run("create domain json_oracle.age as int");
  witness.run("create type json_oracle.loud as enum ('a')");
  witness.run(
      "create function json_oracle.shout(json_oracle.loud) returns json immutable language sql "
      "as $$ select '{\"shout\": true}'::json $$");
  witness.run(
      "create cast (json_oracle.loud as json) with function json_oracle.shout(json_oracle.loud)");

  SECTION("composite values are their text") {
    oracle.compare_text("record", "select row(1, 'a \"b\"', null) as v");
    oracle.compare_text("named composite", "select row(1, 'a b')::json_oracle.pair as v");
    oracle.compare_text("a table's row", "select l as v from pg_language l where lanname = 'sql'");
  }
  SECTION("arrays of types that are not built in are their text") {
    oracle.compare_text("enum[]", "select array['sad', 'so so']::json_oracle.mood[] as v");
    oracle.compare_text("composite[]", "select array[row(1, 'x')::json_oracle.pair] as v");
    oracle.compare_text("domain[]", "select array[1, 2]::json_oracle.age[] as v");
  }
  SECTION("types with a cast to json of their own are their text") {
    oracle.compare_text("cast to json", "select 'a'::json_oracle.loud as v");
  }
  SECTION("anyarray, which only the statistics views have, is its text") {
    witness.run("create table json_oracle.s as select i % 3 as a from generate_series(1, 300) i");
    witness.run("analyze json_oracle.s");
    oracle.compare_text(
        "anyarray",
        "select most_common_vals as v from pg_stats where schemaname = 'json_oracle' "
        "and tablename = 's' and most_common_vals is not null");
  }
  SECTION("a record's array is an array of texts") {
    Pool pool(test::pool_options());
    JsonOptions arrays;
    arrays.rows = JsonOptions::RowShape::kArrays;
    arrays.framing = JsonOptions::Framing::kLines;
    CHECK(test::json(pool, "select array[row(1, 'a b'), null]", arrays) ==
          "[[\"(1,\\\"a b\\\")\",null]]\n");
  }
  SECTION("the cure is a cast") {
    oracle.compare("to_jsonb", "select to_jsonb(row(1, 'a b')::json_oracle.pair) as v");
    oracle.compare("text[]", "select array['sad', 'so so']::json_oracle.mood[]::text[] as v");
  }
}

TEST_CASE("fifty thousand generated values print as to_json prints them", "[json_oracle]") {
  Oracle oracle;
  test::Generator make(20240607);
  struct Family {
    std::string name;
    std::string type;
    Texts values;
  };
  const std::vector<Family> families{
      {"float8", "float8", texts(12'000, [&] { return make.float8(); })},
      {"float4", "float4", texts(6'000, [&] { return make.float4(); })},
      {"numeric", "numeric", texts(8'000, [&] { return make.numeric(); })},
      {"int8", "int8", texts(1'000, [&] { return make.integer(64); })},
      {"int4", "int4", texts(1'000, [&] { return make.integer(32); })},
      {"int2", "int2", texts(500, [&] { return make.integer(16); })},
      {"timestamp", "timestamp", texts(3'000, [&] { return make.timestamp(); })},
      {"date", "date", texts(1'000, [&] { return make.day(); })},
      {"time", "time", texts(500, [&] { return make.time(); })},
      {"timetz", "timetz", texts(1'000, [&] { return make.timetz(); })},
      {"interval", "interval", texts(2'000, [&] { return make.interval(); })},
      {"text", "text", texts(6'000, [&] { return make.text(); })},
      {"long_text", "text", texts(100, [&] { return make.text(5'000); })},
      {"text_array", "text[]", texts(5'000, [&] { return make.text_array(); })},
      {"json", "json", texts(3'000, [&] { return make.document(true); })},
      {"jsonb", "jsonb", texts(3'000, [&] { return make.document(false); })},
      {"bytea", "bytea", texts(500, [&] { return make.bytea(); })},
      {"inet", "inet", texts(500, [&] { return make.inet(); })},
      {"numrange", "numrange", texts(500, [&] { return make.numrange(); })},
  };
  for (const Family& family : families) {
    oracle.fill(family.name, family.type, family.values);
    const std::string from = " from json_oracle." + family.name;
    oracle.compare(family.name, "select v" + from + " order by n");
    if (!family.type.ends_with("[]")) {
      oracle.compare(family.name + "[]",
                     "select array_agg(case when n % 11 = 0 then null else v end order by n) as v" +
                         from + " group by n / 9 order by n / 9");
    }
  }

  // The same moments look different in every zone: whole hours, odd minutes, odd seconds.
  oracle.fill("moment", "timestamptz", texts(2'500, [&] { return make.timestamptz(); }));
  for (const char* zone :
       {"UTC", "Asia/Kathmandu", "America/St_Johns", "Africa/Monrovia", "Australia/Lord_Howe",
        "Europe/Amsterdam", "Pacific/Chatham", "America/New_York"}) {
    oracle.set_zone(zone);
    oracle.compare(std::string("timestamptz in ") + zone,
                   "select v from json_oracle.moment order by n");
    oracle.compare(std::string("timestamptz[] in ") + zone,
                   "select array_agg(v order by n) as v from json_oracle.moment group by n / 5 "
                   "order by n / 5");
    oracle.compare(
        std::string("tstzrange in ") + zone,
        "select tstzrange(v, null) as v from json_oracle.moment where n % 50 = 0 order by n");
  }
  CHECK(oracle.compared() >= 50'000);
}

TEST_CASE("rows as objects are what row_to_json makes of them", "[json_oracle]") {
  Witness witness;
  Pool pool(test::pool_options());
  JsonOptions lines;
  lines.framing = JsonOptions::Framing::kLines;
  std::size_t rows = 0;
  for (const std::string select :
       {"select * from pg_catalog.pg_type where oid < 10000 order by oid",
        "select * from pg_catalog.pg_proc where oid < 10000 order by oid",
        "select * from pg_catalog.pg_operator where oid < 10000 order by oid",
        "select * from pg_catalog.pg_aggregate order by aggfnoid::oid",
        "select * from pg_catalog.pg_index where indexrelid < 10000 order by indexrelid",
        "select * from pg_catalog.pg_timezone_abbrevs order by abbrev",
        "select 1 as a, 2 as a, null as \"quote \"\" and \\ slash\", '' as \"\xc3\xa4\", 3 as "
        "\"line\nfeed\""}) {
    CAPTURE(select);
    std::string expected;
    for (const auto& row : witness.rows("select row_to_json(t)::text from (" + select + ") t")) {
      expected += row.at(0).value() + "\n";
      ++rows;
    }
    const std::string got = test::json(pool, select, lines);
    if (got != expected) {
      const auto differ = std::mismatch(got.begin(), got.end(), expected.begin(), expected.end());
      const auto at = static_cast<std::size_t>(differ.first - got.begin());
      INFO("got      …" << got.substr(at < 60 ? 0 : at - 60, 160));
      INFO("expected …" << expected.substr(at < 60 ? 0 : at - 60, 160));
      FAIL_CHECK("an object differs from row_to_json()");
    }
  }
  CHECK(rows > 4000);
}
