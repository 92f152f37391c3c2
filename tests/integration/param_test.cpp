// What a parameter becomes follows the type that the statement gives it.

#include <limits>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "catch.hpp"
#include "database.hpp"
#include "oracle_generators.hpp"

using query::Params;
using query::Pool;
using query::Statement;
using test::Witness;

namespace {

auto json(const std::string& text) -> Params {
  Params params;
  params.add_json(text);
  return params;
}

/// With and without prepared statements: the conversion is another path.
auto pools() -> std::vector<query::PoolOptions> {
  auto cached = test::pool_options();
  auto uncached = test::pool_options();
  uncached.statement_cache = 0;
  return {cached, uncached};
}

}  // namespace

TEST_CASE("plain values take the parameter's type", "[param]") {
  Pool pool(test::pool_options());
  const auto shown = [&](const std::string& sql, const Params& params) {
    return test::value(pool, {sql, params});
  };
  CHECK(shown("select pg_typeof($1::int)::text || $1::int", Params::of(7)) == "integer7");
  CHECK(shown("select $1::numeric + 0.10", Params::of(7)) == "7.10");
  CHECK(shown("select $1::text || '!'", Params::of(7)) == "7!");
  CHECK(shown("select not $1::bool", Params::of(true)) == "f");
  CHECK(shown("select $1::text", Params::of(false)) == "false");
  CHECK(shown("select $1::int is null", Params::of(nullptr)) == "t");
  CHECK(shown("select $1::text = '' and $1 is not null", Params::of("")) == "t");
  CHECK(shown("select $1", Params::of("untyped")) == "untyped");
  CHECK(shown("select sum(v) from unnest($1::int[]) v", Params::of(std::vector{1, 2, 3})) == "6");
  CHECK(shown("select ($1::text[])[2] is null and ($1::text[])[1] = 'NULL'",
              Params::of(std::vector<std::optional<std::string>>{"NULL", std::nullopt})) == "t");
  CHECK(shown("select $1::float8 = 'NaN'", Params::of(std::numeric_limits<double>::quiet_NaN())) ==
        "t");
  CHECK(shown("select $1::float8 = '-Infinity'",
              Params::of(-std::numeric_limits<double>::infinity())) == "t");
  CHECK(shown("select $1::uuid::text", Params::of("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11")) ==
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
}

TEST_CASE("a parameter is never part of the SQL", "[param]") {
  Pool pool(test::pool_options());
  for (const std::string text :
       {"'; drop table x; --", "$1", "\\", "E'\\''", "{1,2}", "\"", "%s", "NULL"}) {
    CHECK(test::value(pool, {"select $1::text", Params::of(text)}) == text);
  }
}

TEST_CASE("every byte survives as bytea, every character as text", "[param]") {
  Pool pool(test::pool_options());
  std::vector<std::byte> bytes;
  for (int i = 0; i < 256; ++i) {
    bytes.push_back(static_cast<std::byte>(i));
  }
  CHECK(
      test::value(pool, {"select length($1::bytea)::text || ' ' || get_byte($1::bytea, 255)::text",
                         Params::of(std::span<const std::byte>(bytes))}) == "256 255");
  test::Generator make(5);
  for (int i = 0; i < 300; ++i) {
    const std::string text = make.text(200);
    REQUIRE(test::value(pool, {"select $1::text", Params::of(text)}) == text);
    REQUIRE(test::value(pool, {"select ($1::text[])[2]",
                               Params::of(std::vector<std::string>{"x", text})}) == text);
  }
}

TEST_CASE("doubles arrive bit for bit", "[param]") {
  Pool pool(test::pool_options());
  std::mt19937_64 random(9);
  for (int i = 0; i < 500; ++i) {
    const std::uint64_t bits = random();
    double value = 0;
    std::memcpy(&value, &bits, sizeof value);
    if (!std::isfinite(value)) {
      continue;
    }
    const auto result = pool.execute({"select $1::float8", Params::of(value)}, test::within());
    REQUIRE(result.get<double>(0, 0) == value);
  }
}

TEST_CASE("a JSON array becomes what the parameter's type asks for", "[param]") {
  for (const auto& options : pools()) {
    Pool pool(options);
    CAPTURE(options.statement_cache);
    const auto shown = [&](const std::string& sql, const std::string& text) {
      return test::value(pool, {sql, json(text)});
    };
    for (int again = 0; again < 2; ++again) {  // the second time the types are known
      CHECK(shown("select $1::int[]::text", "[1,2]") == "{1,2}");
      CHECK(shown("select $1::int[]::text", "[[1,2],[3,null]]") == "{{1,2},{3,NULL}}");
      CHECK(shown("select $1::int[]::text", "[]") == "{}");
      CHECK(shown("select $1::text[]::text", R"(["a,b","NULL",null,"\"\\"])") ==
            R"({"a,b","NULL",NULL,"\"\\"})");
      CHECK(shown("select $1::bool[]::text", "[true,false,null]") == "{t,f,NULL}");
      CHECK(shown("select $1::jsonb::text", "[1,2]") == "[1, 2]");
      CHECK(shown("select $1::json::text", "[1, 2 ]") == "[1, 2 ]");
      CHECK(shown("select $1::text", "[1, 2 ]") == "[1, 2 ]");
      CHECK(shown("select $1::varchar", "{\"a\":1}") == "{\"a\":1}");
      CHECK(shown("select ($1::json[])[2]::text", R"([1,{"a": [1,"x"]},"s"])") ==
            R"({"a": [1,"x"]})");
      CHECK(shown("select ($1::json[])[3]::text", R"([1,{"a": [1,"x"]},"s"])") == "\"s\"");
      CHECK(shown("select ($1::jsonb[])[1]::text", R"([[1,2],null])") == "[1, 2]");
      CHECK(shown("select (($1::jsonb[])[2] is null)::text", R"([[1,2],null])") == "true");
      CHECK(shown("select $1::date[]::text", R"(["2024-02-29"])") == "{2024-02-29}");
      CHECK(shown("select ($1::jsonb)->>'a'", R"({"a":"\u00e4\n"})") == "\xc3\xa4\n");
      CHECK(shown("select array_length($1::timestamptz[], 1)", R"(["2024-02-29 00:00+00",null])") ==
            "2");
    }
  }
}

TEST_CASE("arrays of the user's own types are arrays, too", "[param]") {
  Witness witness;
  witness.run("drop schema if exists param_test cascade");
  witness.run("create schema param_test");
  witness.run("create type param_test.mood as enum ('sad', 'so so')");
  witness.run("create domain param_test.age as int check (value > 0)");
  witness.run("create domain param_test.ages as int[]");
  witness.run("create domain param_test.document as jsonb");
  witness.run("create type param_test.pair as (a int, b text)");
  for (const auto& options : pools()) {
    Pool pool(options);
    CAPTURE(options.statement_cache);
    const auto shown = [&](const std::string& sql, const std::string& text) {
      return test::value(pool, {sql, json(text)});
    };
    for (int again = 0; again < 2; ++again) {
      CHECK(shown("select $1::param_test.mood[]::text", R"(["sad","so so",null])") ==
            R"({sad,"so so",NULL})");
      CHECK(shown("select $1::param_test.age[]::text", "[1,2]") == "{1,2}");
      CHECK(shown("select $1::param_test.ages::text", "[1,2]") == "{1,2}");
      CHECK(shown("select $1::param_test.document::text", "[1,2]") == "[1, 2]");
      CHECK(shown("select ($1::param_test.pair[])[1].b", R"j(["(1,x)"])j") == "x");
      CHECK(test::sqlstate_of([&] {
              (void)pool.execute({"select $1::param_test.age[]", json("[0]")}, test::within());
            }) == "23514");
    }
  }
  witness.run("drop schema param_test cascade");
}

TEST_CASE("numbers reach PostgreSQL as they were written", "[param]") {
  Pool pool(test::pool_options());
  const auto shown = [&](const std::string& type, const std::string& text) {
    return test::value(pool, {"select $1::" + type + "::text", json(text)});
  };
  CHECK(shown("numeric", "1.10") == "1.10");
  CHECK(shown("numeric", "12345678901234567890") == "12345678901234567890");
  CHECK(shown("numeric", "-0.000000000000000000000001") == "-0.000000000000000000000001");
  CHECK(shown("numeric", "1e400").size() == 401);
  CHECK(shown("numeric[]", "[1.10,12345678901234567890.123]") == "{1.10,12345678901234567890.123}");
  CHECK(shown("jsonb", R"({"a":1.10,"b":12345678901234567890})") ==
        R"({"a": 1.10, "b": 12345678901234567890})");
  CHECK(shown("json", "1e400") == "1e400");
  CHECK(shown("int8[]", "[9007199254740993]") == "{9007199254740993}");
  CHECK(test::sqlstate_of([&] { (void)shown("int8", "12345678901234567890"); }) == "22003");
}

TEST_CASE("bad JSON is the caller's mistake, whoever finds it", "[param]") {
  for (const auto& options : pools()) {
    Pool pool(options);
    for (const std::string text : {"[1,", "[1] x", "[abc]", "['a']", "[1,,2]", "[\"\\ud800\"]"}) {
      CAPTURE(text);
      CHECK_THROWS_AS(pool.execute({"select $1::text[]", json(text)}, test::within()),
                      std::invalid_argument);
      const std::string sqlstate = test::sqlstate_of([&] {
        (void)pool.execute({"select $1::jsonb", json(text)}, test::within());
      });
      CHECK(sqlstate.substr(0, 2) == "22");
      CHECK(test::value(pool, "select 1") == "1");
    }
    CHECK_THROWS_AS(pool.execute({"select $1::text[]", json(R"(["\u0000"])")}, test::within()),
                    std::invalid_argument);
    CHECK(test::sqlstate_of([&] {
            (void)pool.execute({"select $1::jsonb", json(R"(["\u0000"])")}, test::within());
          }) == "22P05");
    CHECK(test::sqlstate_of([&] {
            (void)pool.execute({"select $1::int[]", json("{\"a\":1}")}, test::within());
          }) == "22P02");
    CHECK(test::sqlstate_of([&] {
            (void)pool.execute({"select $1::int[]", json("[[1],[2,3]]")}, test::within());
          }) == "22P02");
    CHECK(pool.stats().connected == 1);
  }
}

TEST_CASE("a value that cannot be converted fails the batch before anything of it stays",
          "[param]") {
  Witness witness;
  witness.run("drop table if exists param_test_t");
  witness.run("create table param_test_t (a int[])");
  for (const auto& options : pools()) {
    Pool pool(options);
    const std::vector<Statement> batch{{"insert into param_test_t values ($1)", json("[1]")},
                                       {"insert into param_test_t values ($1)", json("[2")},
                                       "select 1"};
    auto connection = pool.acquire(test::within());
    for (int again = 0; again < 2; ++again) {
      CHECK_THROWS_AS(connection.batch(batch, {}, test::within()), std::invalid_argument);
      CHECK(test::value(connection, "select count(*) from param_test_t") == "0");
    }
    CHECK(pool.stats().connected == 1);
  }
  witness.run("drop table param_test_t");
}

TEST_CASE("JSON parameters work wherever a statement runs", "[param]") {
  for (const auto& options : pools()) {
    Pool pool(options);
    auto connection = pool.acquire(test::within());
    const Statement statement{"select ($1::int[])[1] + ($2::jsonb->>0)::int + $3::int", [] {
                                Params params;
                                params.add_json("[1]").add_json("[20]").add(300);
                                return params;
                              }()};
    query::QueryOptions read_only = test::within();
    read_only.read_only = true;
    for (int again = 0; again < 2; ++again) {
      CHECK(test::value(connection, statement) == "321");
      CHECK(connection.execute(statement, read_only).get<int>(0, 0) == 321);
      {
        auto transaction = connection.begin({}, test::soon());
        CHECK(transaction.execute(statement, test::within()).get<int>(0, 0) == 321);
        transaction.commit(test::soon());
      }
      const std::vector<Statement> batch{statement, statement, "select 1", statement};
      const auto results = connection.batch(batch, {}, test::within());
      REQUIRE(results.size() == 4);
      CHECK(results[0].get<int>(0, 0) == 321);
      CHECK(results[3].get<int>(0, 0) == 321);
      CHECK(test::sqlstate_of([&] {
              (void)connection.execute({"selekt $1", json("[1]")}, test::within());
            }) == "42601");
      CHECK(test::sqlstate_of([&] {
              (void)connection.execute({"select $1::int[], $2::int", json("[1]")}, test::within());
            }) == "08P01");
    }
  }
}
