#include <chrono>
#include <string>
#include <vector>

#include "catch.hpp"
#include "database.hpp"

using query::Isolation;
using query::Params;
using query::Pool;
using query::SqlError;
using query::Statement;
using query::TransactionOptions;
using test::Witness;

namespace {

using Statements = std::vector<Statement>;

/// A table that only the batch under test writes to.
class World {
 public:
  World() {
    witness.run("drop schema if exists batch_test cascade");
    witness.run("create schema batch_test");
    witness.run("create table batch_test.t (a int primary key)");
  }
  ~World() { witness.run("drop schema batch_test cascade"); }
  World(const World&) = delete;
  auto operator=(const World&) -> World& = delete;

  auto content() -> std::string {
    return witness.value(
        "select coalesce(string_agg(a::text, ' ' order by a), '') from batch_test.t");
  }

  auto run(const Statements& statements, const TransactionOptions& transaction = {},
           const query::QueryOptions& options = {}) -> std::vector<query::Result> {
    return pool.acquire(test::within()).batch(statements, transaction, test::within(options));
  }

  /// The error of a batch that must fail.
  auto error_of(const Statements& statements, const TransactionOptions& transaction = {})
      -> SqlError {
    try {
      (void)run(statements, transaction);
    } catch (const SqlError& error) {
      return error;
    }
    FAIL("the batch did not fail");
    throw std::logic_error("unreachable");
  }

  Witness witness;
  Pool pool{test::pool_options()};
};

auto insert(int a) -> Statement {
  return {"insert into batch_test.t values ($1) returning a", Params::of(a)};
}

}  // namespace

TEST_CASE("all statements of a batch take effect together", "[batch]") {
  World world;
  const auto results =
      world.run({insert(1), insert(2), "select count(*) from batch_test.t",
                 "update batch_test.t set a = a + 10", "create table batch_test.u ()"});
  REQUIRE(results.size() == 5);
  CHECK(results[0].get<int>(0, 0) == 1);
  CHECK(results[1].get<int>(0, 0) == 2);
  CHECK(results[2].get<std::int64_t>(0, 0) == 2);
  CHECK(results[2].columns.at(0).name == "count");
  CHECK(results[3].affected == 2U);
  CHECK(results[3].command == "UPDATE");
  CHECK(results[4].command == "CREATE TABLE");
  CHECK_FALSE(results[4].affected.has_value());
  CHECK(world.content() == "11 12");
}

TEST_CASE("an empty batch is an empty answer", "[batch]") {
  World world;
  CHECK(world.run({}).empty());
  CHECK(test::json(world.pool.query_batch(Statements{}, {}, test::within())) == "{\"results\":[]}");
  CHECK(test::value(world.pool, "select 1") == "1");
}

TEST_CASE("a batch that fails leaves nothing and names the statement that failed", "[batch]") {
  World world;
  for (std::size_t failing = 0; failing < 4; ++failing) {
    CAPTURE(failing);
    Statements statements{insert(1), insert(2), insert(3), insert(4)};
    SECTION("while it runs, at " + std::to_string(failing)) {
      statements[failing] = Statement("select 1 / $1::int", Params::of(0));
      const SqlError error = world.error_of(statements);
      CHECK(error.sqlstate() == "22012");
      CHECK(error.statement() == failing);
      CHECK(world.content().empty());
    }
    SECTION("while it is parsed, at " + std::to_string(failing)) {
      statements[failing] = "selekt";
      const SqlError error = world.error_of(statements);
      CHECK(error.sqlstate() == "42601");
      CHECK(error.statement() == failing);
      CHECK(error.diagnostics().position == 1);
      CHECK(world.content().empty());
    }
    SECTION("while it is bound, at " + std::to_string(failing)) {
      statements[failing] = Statement("select $1::int", Params::of("no number"));
      const SqlError error = world.error_of(statements);
      CHECK(error.sqlstate() == "22P02");
      CHECK(error.statement() == failing);
      CHECK(world.content().empty());
    }
    SECTION("because a parameter is missing, at " + std::to_string(failing)) {
      statements[failing] = "select $1::int";
      const SqlError error = world.error_of(statements);
      CHECK(error.sqlstate() == "08P01");
      CHECK(error.statement() == failing);
      CHECK(world.content().empty());
    }
  }
  CHECK(test::value(world.pool, "select 1") == "1");
}

TEST_CASE("a statement that ends the transaction fails the batch and stops it", "[batch]") {
  World world;
  struct Escape {
    std::string sql;
    std::string content;  // what nobody can undo any more
  };
  for (const Escape& escape : std::vector<Escape>{{"commit", "1"},
                                                  {"commit and chain", "1"},
                                                  {"end", "1"},
                                                  {"rollback", ""},
                                                  {"rollback and chain", ""},
                                                  {"abort", ""},
                                                  {"prepare transaction 'batch_test'", ""}}) {
    CAPTURE(escape.sql);
    world.witness.run("truncate batch_test.t");
    const bool two_phase = escape.sql.starts_with("prepare");
    if (two_phase && world.witness.value("show max_prepared_transactions") == "0") {
      CHECK(world.error_of({insert(1), escape.sql, insert(3)}).statement() == std::size_t{1});
      CHECK(world.content().empty());
      continue;
    }
    const SqlError error = world.error_of({insert(1), escape.sql, insert(3)});
    if (two_phase) {
      world.witness.run("rollback prepared 'batch_test'");
    }
    CHECK(error.sqlstate() == "2D000");
    CHECK(error.statement() == std::size_t{1});
    CHECK(world.content() == escape.content);
    CHECK(test::value(world.pool, "select 1") == "1");
  }
}

TEST_CASE("a COMMIT cannot hide: not at the end, not before a failure, not in a function",
          "[batch]") {
  World world;
  SECTION("as the last statement") {
    const SqlError error = world.error_of({insert(1), "commit"});
    CHECK(error.sqlstate() == "2D000");
    CHECK(error.statement() == std::size_t{1});
  }
  SECTION("as the first statement") {
    CHECK(world.error_of({"commit", insert(1)}).sqlstate() == "2D000");
    CHECK(world.content().empty());
  }
  SECTION("as the only statement") { CHECK(world.error_of({"rollback"}).sqlstate() == "2D000"); }
  SECTION("followed by a new BEGIN") {
    const SqlError error = world.error_of({insert(1), "commit", "begin", insert(2)});
    CHECK(error.sqlstate() == "2D000");
    CHECK(error.statement() == std::size_t{1});
    CHECK(world.content() == "1");
  }
  SECTION("followed by an error") {
    CHECK(world.error_of({insert(1), "commit", "select 1/0"}).sqlstate() == "2D000");
    CHECK(world.content() == "1");
  }
  SECTION("in a DO block it is refused by PostgreSQL and nothing stays") {
    const SqlError error = world.error_of({insert(1), "do $$ begin commit; end $$", "select 1/0"});
    CHECK(error.sqlstate() == "2D000");
    CHECK(error.statement() == std::size_t{1});
    CHECK(world.content().empty());
  }
  SECTION("a session setting does not outwit the guard") {
    const SqlError error = world.error_of(
        {"select set_config(name, setting, false) from pg_settings where name like '%guard%'",
         insert(1), "commit", insert(2)});
    CHECK(error.sqlstate() == "2D000");
    CHECK(world.content() == "1");
  }
  CHECK(test::value(world.pool, "select 1") == "1");
}

TEST_CASE("who knows the guard's name gains nothing by it", "[batch]") {
  World world;
  TransactionOptions read_only;
  read_only.read_only = true;
  const std::string guard = "libquery_guard";
  for (const Statements& tricks : std::vector<Statements>{
           {"savepoint " + guard, "commit"},
           {"release savepoint " + guard, "commit"},
           {"rollback to savepoint " + guard, "commit"},
           {"savepoint " + guard, "savepoint " + guard, "commit", "begin", "savepoint " + guard},
           {"release savepoint " + guard, "set transaction read write"},
           {"rollback to savepoint " + guard, "set transaction read write"}}) {
    CAPTURE(tricks.at(0).sql, tricks.at(1).sql);
    Statements statements = tricks;
    statements.push_back(insert(2));
    CHECK_THROWS_AS(world.run(statements, read_only), SqlError);
    CHECK(world.content().empty());
    if (tricks.at(1).sql !=
        "set transaction read write") {  // which is no trick in a batch that may write
      statements.insert(statements.begin(), insert(1));
      CHECK_THROWS_AS(world.run(statements), SqlError);
      CHECK((world.content().empty() || world.content() == "1"));  // never what stands behind
      world.witness.run("truncate batch_test.t");
    }
    CHECK(test::value(world.pool, "select 1") == "1");
  }
}

TEST_CASE("a batch with savepoints of its own is whole or nothing", "[batch]") {
  // The guard between the statements ends savepoints that were made behind it; what matters is
  // that such a batch is never half done.
  World world;
  const Statements kept{insert(1), "savepoint s", insert(2), "release savepoint s", insert(3)};
  const Statements undone{insert(1), "savepoint s", insert(2), "rollback to savepoint s",
                          insert(3)};
  for (const auto& [statements, content] : {std::pair(kept, "1 2 3"), std::pair(undone, "1 3")}) {
    world.witness.run("truncate batch_test.t");
    try {
      (void)world.run(statements);
      CHECK(world.content() == content);
    } catch (const SqlError& error) {
      CHECK(error.sqlstate() == "3B001");
      CHECK(error.statement() == std::size_t{3});
      CHECK(world.content().empty());
    }
    CHECK(test::value(world.pool, "select 1") == "1");
  }
}

TEST_CASE("a read-only batch cannot write and cannot become one that can", "[batch]") {
  World world;
  TransactionOptions read_only;
  read_only.read_only = true;
  for (const Statements& statements : std::vector<Statements>{
           {insert(1)},
           {"select 1", insert(1)},
           {"set transaction read write", insert(1)},
           {"select 1", "set transaction read write", insert(1)},
           {"set session characteristics as transaction read write", insert(1)},
           {"select set_config('transaction_read_only', 'off', true)", insert(1)},
           {"select set_config('transaction_read_only', 'off', false)", insert(1)},
           {"commit", insert(1)},
           {"rollback", insert(1)},
           {"commit and chain", "set transaction read write", insert(1)},
           {"rollback", "begin read write", insert(1)},
           {"rollback", "begin read write", insert(1), "commit"},
           {"do $$ begin commit; insert into batch_test.t values (1); end $$"},
           {"savepoint s", "set transaction read write", insert(1)},
           {"release savepoint s", insert(1)},
           {"rollback to savepoint s", "set transaction read write", insert(1)},
           {"select set_config(name, setting, false) from pg_settings where name like '%guard%'",
            "commit", insert(1)}}) {
    CAPTURE(statements.at(0).sql, statements.size());
    CHECK_THROWS_AS(world.run(statements, read_only), SqlError);
    CHECK(world.content().empty());
    CHECK(test::value(world.pool, "select 1") == "1");
  }
  query::QueryOptions by_options;
  by_options.read_only = true;
  CHECK_THROWS_AS(world.run({insert(1)}, {}, by_options), SqlError);
  CHECK(world.content().empty());
  CHECK(world.run({"select 1", "select 2"}, read_only).size() == 2);
}

TEST_CASE("a batch runs in the isolation it asks for", "[batch]") {
  World world;
  const auto isolation_of = [&](const TransactionOptions& transaction) {
    return world
        .run({"select current_setting('transaction_isolation') || ' ' || "
              "current_setting('transaction_read_only') || ' ' || "
              "current_setting('transaction_deferrable')"},
             transaction)
        .at(0)
        .get<std::string>(0, 0)
        .value();
  };
  CHECK(isolation_of({}) == "read committed off off");
  CHECK(isolation_of({.isolation = Isolation::kReadCommitted}) == "read committed off off");
  CHECK(isolation_of({.isolation = Isolation::kRepeatableRead}) == "repeatable read off off");
  CHECK(isolation_of({.isolation = Isolation::kSerializable}) == "serializable off off");
  CHECK(isolation_of(
            {.isolation = Isolation::kSerializable, .read_only = true, .deferrable = true}) ==
        "serializable on on");
}

TEST_CASE("two batches that cannot be put in an order are told to try again", "[batch]") {
  World world;
  (void)world.run({insert(1), insert(2)});
  Witness other;
  other.run("begin isolation level serializable");
  other.run("select sum(a) from batch_test.t");
  other.run("update batch_test.t set a = 10 where a = 1");
  auto connection = world.pool.acquire(test::within());
  const Statements statements{"select sum(a) from batch_test.t", "select pg_sleep(0.2)",
                              "update batch_test.t set a = 20 where a = 2"};
  std::thread committer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    other.run("commit");
  });
  std::string sqlstate;
  bool retryable = false;
  try {
    (void)connection.batch(statements, {.isolation = Isolation::kSerializable}, test::within());
  } catch (const query::Error& error) {
    sqlstate = error.sqlstate();
    retryable = error.retryable();
  }
  committer.join();
  CHECK(sqlstate == "40001");
  CHECK(retryable);
  CHECK(world.content() == "2 10");
}

TEST_CASE("a constraint that is checked at the COMMIT fails the batch without blaming a statement",
          "[batch]") {
  World world;
  world.witness.run(
      "create table batch_test.child (a int references batch_test.t deferrable initially "
      "deferred)");
  const SqlError error = world.error_of({insert(1), "insert into batch_test.child values (99)"});
  CHECK(error.sqlstate() == "23503");
  CHECK_FALSE(error.statement().has_value());
  CHECK(error.diagnostics().table == "child");
  CHECK(world.content().empty());
  CHECK(test::value(world.pool, "select 1") == "1");
}

TEST_CASE("a batch of a thousand statements is whole", "[batch]") {
  World world;
  Statements statements;
  for (int i = 0; i < 1000; ++i) {
    statements.push_back(insert(i));
  }
  const auto results = world.run(statements);
  REQUIRE(results.size() == 1000);
  for (int i = 0; i < 1000; ++i) {
    REQUIRE(results[static_cast<std::size_t>(i)].get<int>(0, 0) == i);
  }
  CHECK(world.witness.value("select count(*) from batch_test.t") == "1000");
}

TEST_CASE("a batch that fills both directions of the socket does not lock up", "[batch]") {
  // While the server waits for its answers to be read it reads nothing; who only writes then
  // waits for ever.
  World world;
  const std::string large(400'000, 'x');
  Statements statements;
  for (int i = 0; i < 100; ++i) {  // 40 MB each way
    statements.push_back(Statement("select $1::text, repeat('y', 400000)", Params::of(large)));
  }
  const auto begin = std::chrono::steady_clock::now();
  const auto results = world.run(statements);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(25));
  REQUIRE(results.size() == 100);
  for (const auto& result : results) {
    REQUIRE(result.get<std::string>(0, 0) == large);
    REQUIRE(result.get<std::string>(0, 1)->size() == 400'000);
  }
}

TEST_CASE("an error behind a large unread batch does not lock up either", "[batch]") {
  World world;
  const std::string large(400'000, 'x');
  Statements statements;
  for (int i = 0; i < 60; ++i) {
    statements.push_back(i == 5 ? Statement("select 1/0")
                                : Statement("select $1::text", Params::of(large)));
  }
  const SqlError error = world.error_of(statements);
  CHECK(error.sqlstate() == "22012");
  CHECK(error.statement() == std::size_t{5});
  CHECK(test::value(world.pool, "select 1") == "1");
}

TEST_CASE("a batch is one transaction in one round trip", "[batch]") {
  World world;
  // One transaction id, and nothing between the statements for which the server would have to wait.
  const auto results =
      world.run({"select pg_current_xact_id()::text", "select pg_current_xact_id()::text",
                 "select now()::text", "select now()::text"});
  CHECK(results[0].get<std::string>(0, 0) == results[1].get<std::string>(0, 0));
  CHECK(results[2].get<std::string>(0, 0) == results[3].get<std::string>(0, 0));
}

TEST_CASE("a streamed batch goes from answer to answer", "[batch]") {
  World world;
  const Statements statements{"select generate_series(1, 3) as n", insert(7),
                              "select 'last' as word"};
  SECTION("reading everything") {
    auto rows = world.pool.query_batch(statements, {}, test::within());
    CHECK(rows.is_batch());
    CHECK(rows.columns().at(0).name == "n");
    CHECK(rows.collect().rows() == 3);
    REQUIRE(rows.next_statement());
    CHECK(rows.columns().at(0).name == "a");
    CHECK(rows.collect().affected == 1U);
    REQUIRE(rows.next_statement());
    CHECK(rows.columns().at(0).name == "word");
    CHECK(rows.collect().get<std::string>(0, 0) == "last");
    CHECK_FALSE(rows.next_statement());
    CHECK(world.content() == "7");
  }
  SECTION("skipping answers") {
    auto rows = world.pool.query_batch(statements, {}, test::within());
    REQUIRE(rows.next_statement());
    REQUIRE(rows.next_statement());
    CHECK(rows.collect().get<std::string>(0, 0) == "last");
    CHECK_FALSE(rows.next_statement());
    CHECK(world.content() == "7");
  }
  SECTION("as a document") {
    CHECK(
        test::json(world.pool.query_batch(statements, {}, test::within())) ==
        R"({"results":[{"columns":[{"name":"n","type":"int4","oid":23}],"rows":[{"n":1},{"n":2},{"n":3}],)"
        R"("command":"SELECT","row_count":3},)"
        R"({"columns":[{"name":"a","type":"int4","oid":23}],"rows":[{"a":7}],"command":"INSERT","row_count":1},)"
        R"({"columns":[{"name":"word","type":"text","oid":25}],"rows":[{"word":"last"}],"command":"SELECT","row_count":1}]})");
    CHECK(world.content() == "7");
  }
  CHECK(test::value(world.pool, "select 1") == "1");
}

TEST_CASE("JSON parameters are converted in a batch, also of a table that it creates", "[batch]") {
  World world;
  Params json;
  json.add_json("[1,[2,3]]");
  Params array;
  array.add_json("[4,5]");
  const auto results =
      world.run({"create table batch_test.j (v jsonb, a int[])",
                 Statement("insert into batch_test.j (v) values ($1)", json),
                 Statement("insert into batch_test.j (a) values ($1)", array),
                 "select v::text, a::text from batch_test.j order by v nulls last"});
  REQUIRE(results.size() == 4);
  CHECK(results[3].get<std::string>(0, 0) == "[1, [2, 3]]");
  CHECK(results[3].get<std::string>(1, 1) == "{4,5}");
}

TEST_CASE("max_rows counts for each statement of a batch and keeps the effects", "[batch]") {
  World world;
  query::QueryOptions options;
  options.max_rows = 2;
  const auto results =
      world.run({"select generate_series(1, 5)",
                 "insert into batch_test.t select generate_series(1, 5) returning a",
                 "select generate_series(1, 2)"},
                {}, options);
  REQUIRE(results.size() == 3);
  CHECK(results[0].rows() == 2);
  CHECK(results[0].truncated);
  CHECK(results[1].rows() == 2);
  CHECK(results[1].truncated);
  CHECK(results[2].rows() == 2);
  CHECK_FALSE(results[2].truncated);
  CHECK(world.content() == "1 2 3 4 5");
}
