// One statement: preparing it, healing what a user did to it, refusing what cannot be run.

#include <optional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "database.hpp"
#include "process.hpp"

using query::Params;
using query::Pool;
using query::QueryOptions;
using query::Statement;
using test::Witness;

namespace {

auto without_cache() -> query::PoolOptions {
  auto options = test::pool_options();
  options.statement_cache = 0;
  return options;
}

const std::string kOurs = "select count(*)::text from pg_prepared_statements where not from_sql";
const std::string kCached = kOurs + " and name not like 'reset%'";

}  // namespace

TEST_CASE("statements are prepared once and used again", "[statement]") {
  Pool pool(test::pool_options());
  auto connection = pool.acquire(test::within());
  for (int i = 0; i < 5; ++i) {
    CHECK(connection.execute({"select $1::int + 1 as prepared_once", Params::of(i)}, test::within())
              .get<int>(0, 0) == i + 1);
  }
  const auto rows = connection.execute(
      "select (generic_plans + custom_plans)::text from pg_prepared_statements where statement "
      "like '%prepared_once' "
      "and not from_sql",
      test::within());
  REQUIRE(rows.rows() == 1);
  CHECK(rows.get<std::string>(0, 0) == "5");
}

TEST_CASE("the server never holds more statements than the cache", "[statement]") {
  auto options = test::pool_options();
  options.statement_cache = 5;
  Pool pool(options);
  for (int i = 0; i < 50; ++i) {
    CHECK(test::value(pool, "select " + std::to_string(i)) == std::to_string(i));
  }
  CHECK(test::eventually([&] { return std::stoi(test::value(pool, kCached)) <= 5; }));
  auto connection = pool.acquire(test::within());
  for (int i = 0; i < 300; ++i) {  // within one lease, too, the number is bounded
    (void)connection.execute("select " + std::to_string(i), test::within());
  }
  CHECK(std::stoi(test::value(connection, kCached)) < 100);
}

TEST_CASE("a cache of 0 prepares nothing", "[statement]") {
  Pool pool(without_cache());
  auto connection = pool.acquire(test::within());
  for (int i = 0; i < 3; ++i) {
    CHECK(connection.execute({"select $1::int", Params::of(i)}, test::within()).get<int>(0, 0) ==
          i);
  }
  Params json;
  json.add_json("[1,2]");
  CHECK(test::value(connection, {"select ($1::int[])[2]", json}) == "2");
  CHECK(test::value(connection, kOurs) == "0");
}

TEST_CASE("a statement that failed to parse is not remembered as prepared", "[statement]") {
  Witness witness;
  witness.run("drop table if exists statement_test_t");
  Pool pool(test::pool_options());
  auto connection = pool.acquire(test::within());
  const std::string sql = "select * from statement_test_t";
  for (int i = 0; i < 3; ++i) {
    CHECK(test::sqlstate_of([&] { (void)connection.execute(sql, test::within()); }) == "42P01");
  }
  witness.run("create table statement_test_t as select 7 as a");
  CHECK(test::value(connection, sql) == "7");
  witness.run("drop table statement_test_t");
}

TEST_CASE("DEALLOCATE ALL and DISCARD ALL by a user are healed in the same lease", "[statement]") {
  Pool pool(test::pool_options());
  auto connection = pool.acquire(test::within());
  for (const char* forget : {"deallocate all", "discard all"}) {
    CAPTURE(forget);
    CHECK(test::value(connection, "select 'again'") == "again");
    CHECK(connection.execute({"select $1::int", Params::of(1)}, test::within()).get<int>(0, 0) ==
          1);
    (void)connection.execute(forget, test::within());
    CHECK(test::value(connection, "select 'again'") == "again");
    CHECK(connection.execute({"select $1::int", Params::of(2)}, test::within()).get<int>(0, 0) ==
          2);
    CHECK(test::value(connection, "select 'again'") == "again");
    auto rows = connection.query("select 'again'", test::within());
    CHECK(rows.collect().rows() == 1);
  }
  CHECK(pool.stats().connected == 1);
}

TEST_CASE("a table that changes its columns is healed", "[statement]") {
  Witness witness;
  witness.run("drop table if exists statement_test_t");
  witness.run("create table statement_test_t as select 1 as a");
  for (const bool cached : {true, false}) {
    CAPTURE(cached);
    Pool pool(cached ? test::pool_options() : without_cache());
    const std::string sql = "select * from statement_test_t";
    CHECK(pool.execute(sql, test::within()).columns.size() == 1);
    witness.run("alter table statement_test_t add column b text default 'new'");
    const auto wider = pool.execute(sql, test::within());
    CHECK(wider.columns.size() == 2);
    CHECK(wider.get<std::string>(0, 1) == "new");
    witness.run("alter table statement_test_t alter column a type text");
    CHECK(pool.execute(sql, test::within()).columns.at(0).type() == "text");
    witness.run("alter table statement_test_t drop column b");
    witness.run("alter table statement_test_t alter column a type int using a::int");
    // Read-only, too.
    auto connection = pool.acquire(test::within());
    QueryOptions read_only = test::within();
    read_only.read_only = true;
    (void)connection.execute(sql, read_only);
    witness.run("alter table statement_test_t add column b int");
    CHECK(connection.execute(sql, read_only).columns.size() == 2);
    witness.run("alter table statement_test_t drop column b");
  }
  witness.run("drop table statement_test_t");
}

TEST_CASE("a stale statement in a batch makes the whole batch run once more", "[statement]") {
  Witness witness;
  witness.run("drop table if exists statement_test_t, statement_test_u");
  witness.run("create table statement_test_t as select 1 as a");
  witness.run("create table statement_test_u (a int)");
  Pool pool(test::pool_options());
  auto connection = pool.acquire(test::within());
  const std::string sql = "select * from statement_test_t";
  for (const std::vector<Statement>& batch :
       std::vector<std::vector<Statement>>{{sql, "insert into statement_test_u values (1)"},
                                           {"insert into statement_test_u values (1)", sql}}) {
    witness.run("truncate statement_test_u");
    (void)connection.batch(batch, {}, test::within());
    witness.run("alter table statement_test_t add column b int");
    const auto results = connection.batch(batch, {}, test::within());
    CHECK(results.at(0).columns.size() + results.at(1).columns.size() == 2);
    CHECK(witness.value("select count(*) from statement_test_u") == "2");
    witness.run("alter table statement_test_t drop column b");
  }
  witness.run("drop table statement_test_t, statement_test_u");
}

TEST_CASE("inside a transaction a stale statement is passed on, for the transaction is aborted",
          "[statement]") {
  Pool pool(test::pool_options());
  auto connection = pool.acquire(test::within());
  const std::string sql = "select 'stale in transaction'";
  CHECK(test::value(connection, sql) == "stale in transaction");
  {
    auto transaction = connection.begin({}, test::soon());
    (void)transaction.execute("deallocate all", test::within());
    CHECK(test::sqlstate_of([&] { (void)transaction.execute(sql, test::within()); }) == "26000");
    transaction.rollback(test::soon());
  }
  CHECK(test::value(connection, sql) == "stale in transaction");
}

TEST_CASE("a user's own EXECUTE of what is not there is the user's error", "[statement]") {
  Pool pool(test::pool_options());
  CHECK(test::sqlstate_of([&] { (void)pool.execute("execute nothing_of_mine", test::within()); }) ==
        "26000");
  CHECK(test::sqlstate_of(
            [&] { (void)pool.execute("deallocate nothing_of_mine", test::within()); }) == "26000");
  auto connection = pool.acquire(test::within());
  (void)connection.execute("prepare mine as select 42", test::within());
  CHECK(test::value(connection, "execute mine") == "42");
}

TEST_CASE("COPY with the client is refused, and the next statement is fine", "[statement]") {
  Witness witness;
  witness.run("drop table if exists statement_test_t");
  witness.run("create table statement_test_t (a int)");
  Pool pool(test::pool_options(2));
  QueryOptions read_only = test::within();
  read_only.read_only = true;
  for (const std::string sql : {"copy (select 1) to stdout", "copy statement_test_t from stdin",
                                "copy statement_test_t to stdout (format binary)"}) {
    CAPTURE(sql);
    for (int i = 0; i < 3; ++i) {
      CHECK(test::sqlstate_of([&] { (void)pool.execute(sql, test::within()); }) == "0A000");
      CHECK(test::value(pool, "select 1") == "1");
    }
    if (sql.find("from") == std::string::npos) {
      CHECK(test::sqlstate_of([&] { (void)pool.execute(sql, read_only); }) == "0A000");
    }
    CHECK(test::value(pool, "select 1") == "1");
    auto connection = pool.acquire(test::within());
    const std::vector<Statement> batch{"insert into statement_test_t values (1)", sql, "select 1"};
    std::optional<std::size_t> index;
    try {
      (void)connection.batch(batch, {}, test::within());
      FAIL("COPY in a batch was not refused");
    } catch (const query::SqlError& error) {
      CHECK(error.sqlstate() == "0A000");
      index = error.statement();
    }
    CHECK(index == std::size_t{1});
    CHECK(test::value(pool, "select count(*) from statement_test_t") == "0");
  }
  {
    auto connection = pool.acquire(test::within());
    auto transaction = connection.begin({}, test::soon());
    CHECK(test::sqlstate_of([&] {
            (void)transaction.execute("copy (select 1) to stdout", test::within());
          }) == "0A000");
  }
  CHECK(test::value(pool, "select 1") == "1");
  witness.run("drop table statement_test_t");
}

TEST_CASE("COPY does not get through in disguise, and nothing of its batch stays", "[statement]") {
  Witness witness;
  witness.run("drop table if exists statement_test_t");
  witness.run("create table statement_test_t (a int)");
  Pool pool(test::pool_options());
  for (const std::string sql :
       {"COPY (select 1) TO STDOUT", "  \t\r\n\fcopy (select 1) to stdout",
        "copy(select 1)to stdout", "/* a */copy (select 1) to stdout",
        "/* a /* nested */ */ copy (select 1) to stdout", "-- a\ncopy (select 1) to stdout",
        "-- a\rcopy (select 1) to stdout", "--\n-- /*\ncopy (select 1) to stdout",
        "/**//* -- */copy (select 1) to stdout", ";copy (select 1) to stdout",
        " ; ;; /* a */ copy (select 1) to stdout"}) {
    CAPTURE(sql);
    auto connection = pool.acquire(test::within());
    const std::vector<Statement> batch{"insert into statement_test_t values (1)", sql, "select 1"};
    CHECK(test::sqlstate_of([&] { (void)connection.batch(batch, {}, test::within()); }) == "0A000");
    CHECK(witness.value("select count(*) from statement_test_t") == "0");
    { const query::Connection gone = std::move(connection); }
    CHECK(test::sqlstate_of([&] { (void)pool.execute(sql, test::within()); }) == "0A000");
    CHECK(test::value(pool, "select 1") == "1");
  }
  // What only looks like one runs.
  CHECK(test::value(pool, "select copy from (select 1 as copy) c") == "1");
  CHECK(test::value(pool, "/* copy */ select 2") == "2");
  CHECK(test::sqlstate_of([&] { (void)pool.execute("copyx", test::within()); }) == "42601");
  witness.run("drop table statement_test_t");
}

TEST_CASE("what is no statement is refused with a reason", "[statement]") {
  Pool pool(test::pool_options());
  using namespace std::string_literals;
  CHECK(test::sqlstate_of([&] { (void)pool.execute("select 1; select 2", test::within()); }) ==
        "42601");
  CHECK_THROWS_AS(pool.execute("select 1\0"s, test::within()), std::invalid_argument);
  CHECK_THROWS_AS(pool.execute("select '\0'"s, test::within()), std::invalid_argument);
  CHECK(test::sqlstate_of([&] { (void)pool.execute("select '\xff'", test::within()); }) == "22021");
  CHECK(test::sqlstate_of([&] {
          (void)pool.execute({"select $1::text", Params::of("\xc3")}, test::within());
        }) == "22021");
  CHECK(test::sqlstate_of([&] { (void)pool.execute("select $1::int", test::within()); }) ==
        "08P01");
  CHECK(test::sqlstate_of([&] {
          (void)pool.execute({"select 1", Params::of(1)}, test::within());
        }) == "08P01");
  CHECK(test::sqlstate_of([&] {
          (void)pool.execute({"select $1", Params::of()}, test::within());
        }) == "08P01");
  CHECK(test::sqlstate_of([&] { (void)pool.execute("select $2::int", test::within()); }) ==
        "42P18");
  CHECK(test::value(pool, "select 1") == "1");
  CHECK(pool.stats().connected == 1);
}

TEST_CASE("an empty statement is an empty answer", "[statement]") {
  Pool pool(test::pool_options());
  for (const std::string sql : {"", "  \n", "-- nothing", "/* nothing */", ";"}) {
    CAPTURE(sql);
    const auto result = pool.execute(sql, test::within());
    CHECK(result.columns.empty());
    CHECK(result.command.empty());
    CHECK_FALSE(result.affected.has_value());
  }
  CHECK(test::value(pool, "select 1;") == "1");
  CHECK(test::value(pool, "select 1 ; -- done") == "1");
}

TEST_CASE("more parameters than the protocol counts are refused", "[statement]") {
  Pool pool(test::pool_options());
  Params params;
  for (int i = 0; i < 65'536; ++i) {
    params.add(i);
  }
  CHECK_THROWS_AS(pool.execute({"select 1", params}, test::within()), std::invalid_argument);
  CHECK(test::value(pool, "select 1") == "1");
}

TEST_CASE("an error tells everything that PostgreSQL tells", "[statement]") {
  Witness witness;
  witness.run("drop schema if exists statement_test cascade");
  witness.run("create schema statement_test");
  witness.run("create table statement_test.t (a int primary key, b int not null)");
  witness.run(
      "create function statement_test.fail() returns int language plpgsql as $$ begin "
      "raise exception 'the message' using errcode = 'P7777', detail = 'the detail', hint = 'the "
      "hint', "
      "column = 'the column', datatype = 'the type', constraint = 'the constraint', "
      "table = 'the table', schema = 'the schema'; end $$");
  Pool pool(test::pool_options());
  const auto diagnostics_of = [&](const Statement& statement) {
    try {
      (void)pool.execute(statement, test::within());
    } catch (const query::SqlError& error) {
      CHECK_FALSE(error.statement().has_value());
      CHECK_FALSE(error.connection_lost());
      return error.diagnostics();
    }
    FAIL("no SqlError");
    throw std::logic_error("unreachable");
  };
  auto raised = diagnostics_of("select statement_test.fail()");
  CHECK(raised.severity == "ERROR");
  CHECK(raised.sqlstate == "P7777");
  CHECK(raised.message == "the message");
  CHECK(raised.detail == "the detail");
  CHECK(raised.hint == "the hint");
  CHECK(raised.column == "the column");
  CHECK(raised.datatype == "the type");
  CHECK(raised.constraint == "the constraint");
  CHECK(raised.table == "the table");
  CHECK(raised.schema == "the schema");
  CHECK(raised.context.find("statement_test.fail()") != std::string::npos);
  CHECK_FALSE(raised.source_function.empty());
  (void)pool.execute("insert into statement_test.t values (1, 1)", test::within());
  auto unique = diagnostics_of("insert into statement_test.t values (1, 1)");
  CHECK(unique.sqlstate == "23505");
  CHECK(unique.constraint == "t_pkey");
  CHECK(unique.table == "t");
  CHECK(unique.schema == "statement_test");
  CHECK(diagnostics_of("insert into statement_test.t (a) values (2)").column == "b");
  CHECK(diagnostics_of("select '\xc3\xa4', x from statement_test.t").position ==
        13);  // characters, not bytes
  witness.run("drop schema statement_test cascade");
}

TEST_CASE("notices do not reach standard error", "[statement]") {
  Pool pool(test::pool_options());
  std::string written;
  {
    test::CapturedStderr captured;
    auto connection = pool.acquire(test::within());
    for (const char* level : {"notice", "warning", "info"}) {
      (void)connection.execute(std::string("do $$ begin raise ") + level + " 'secret'; end $$",
                               test::within());
    }
    (void)connection.execute("rollback", test::within());  // warns: no transaction
    (void)connection.execute("drop table if exists statement_test_missing", test::within());
    written = captured.text();
  }
  CHECK(written == "");
}

TEST_CASE("a flood of notifications does not grow memory and disturbs no answer", "[statement]") {
  Pool pool(test::pool_options());
  Witness witness;
  auto connection = pool.acquire(test::within());
  (void)connection.execute("listen statement_flood", test::within());
  const auto flood = [&](int rounds) {
    for (int i = 0; i < rounds; ++i) {
      witness.run(
          "select pg_notify('statement_flood', g || repeat('x', 7000)) from generate_series(1, "
          "2000) g");
      REQUIRE(test::value(connection, "select 1") == "1");
    }
  };
  flood(3);
  const std::size_t before = test::resident_bytes();
  flood(20);  // 280 MB
  if (test::kMemoryIsMeasurable) {
    const std::size_t now = test::resident_bytes();
    CHECK((now < before || now - before < std::size_t{64} << 20));
  }
}
