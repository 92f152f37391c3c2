#include <string>
#include <vector>

#include "catch.hpp"
#include "database.hpp"

using query::Pool;
using query::QueryOptions;
using test::Witness;

namespace {

class World {
 public:
  World() {
    witness.run("drop schema if exists read_only_test cascade");
    witness.run("create schema read_only_test");
    witness.run("create table read_only_test.t (a int)");
    witness.run("create sequence read_only_test.s");
    witness.run(
        "create function read_only_test.write() returns int language plpgsql volatile as "
        "$$ begin insert into read_only_test.t values (1); return 1; end $$");
    witness.run(
        "create procedure read_only_test.leave() language plpgsql as "
        "$$ begin commit; insert into read_only_test.t values (2); commit; end $$");
  }
  ~World() { witness.run("drop schema read_only_test cascade"); }
  World(const World&) = delete;
  auto operator=(const World&) -> World& = delete;

  auto rows() -> std::string { return witness.value("select count(*) from read_only_test.t"); }

  Witness witness;
  Pool pool{test::pool_options()};
};

auto read_only() -> QueryOptions {
  QueryOptions options = test::within();
  options.read_only = true;
  return options;
}

}  // namespace

TEST_CASE("a read-only query reads", "[read_only]") {
  World world;
  CHECK(world.pool.execute("select 1", read_only()).get<int>(0, 0) == 1);
  CHECK(world.pool.execute("show transaction_read_only", read_only()).get<std::string>(0, 0) ==
        "on");
  CHECK(test::value(world.pool, "show transaction_read_only") == "off");
  CHECK(
      test::json(world.pool.query("select count(*) from read_only_test.t", read_only())) ==
      R"({"columns":[{"name":"count","type":"int8","oid":20}],"rows":[{"count":0}],"command":"SELECT","row_count":1})");
}

TEST_CASE("nothing that a read-only statement tries is written", "[read_only]") {
  World world;
  for (const std::string sql :
       {"insert into read_only_test.t values (1)",
        "insert into read_only_test.t values (1) returning a",
        "with w as (insert into read_only_test.t values (1) returning a) select * from w",
        "delete from read_only_test.t",
        "update read_only_test.t set a = 2",
        "truncate read_only_test.t",
        "create table read_only_test.u ()",
        "drop table read_only_test.t",
        "select read_only_test.write()",
        "select nextval('read_only_test.s')",
        "select setval('read_only_test.s', 7)",
        "do $$ begin insert into read_only_test.t values (1); end $$",
        "do $$ begin set transaction read write; insert into read_only_test.t values (1); end $$",
        "do $$ begin commit; insert into read_only_test.t values (1); end $$",
        "do $$ begin rollback; insert into read_only_test.t values (1); commit; end $$",
        "call read_only_test.leave()",
        "explain analyze insert into read_only_test.t values (1)",
        "select * from read_only_test.t for update",
        "create temp table x as select read_only_test.write()",
        "vacuum read_only_test.t",
        "alter system set work_mem = '5MB'",
        "grant select on read_only_test.t to public",
        "comment on table read_only_test.t is 'x'",
        "refresh materialized view read_only_test.m",
        "copy read_only_test.t from program 'echo 1'",
        "select set_config('transaction_read_only', 'off', true), read_only_test.write()",
        "select set_config('transaction_read_only', 'off', false), read_only_test.write()"}) {
    CAPTURE(sql);
    const std::string sqlstate =
        test::sqlstate_of([&] { (void)world.pool.execute(sql, read_only()); });
    CHECK_FALSE(sqlstate.empty());
    CHECK(world.rows() == "0");
    CHECK(test::value(world.pool, "select 1") == "1");
  }
  CHECK(world.witness.value("select last_value from read_only_test.s") == "1");
  CHECK(world.pool.stats().connected < 40);
}

TEST_CASE("a read-only statement cannot leave its transaction for the next one", "[read_only]") {
  World world;
  for (const std::string sql : {"commit", "rollback", "commit and chain", "rollback and chain",
                                "end", "abort", "set transaction read write", "begin read write",
                                "set session characteristics as transaction read write",
                                "set default_transaction_read_only = off", "savepoint s"}) {
    CAPTURE(sql);
    auto connection = world.pool.acquire(test::within());
    try {
      (void)connection.execute(sql, read_only());
    } catch (const query::SqlError&) {  // NOLINT(bugprone-empty-catch): allowed, too
    }
    CHECK(test::sqlstate_of([&] {
            (void)connection.execute("insert into read_only_test.t values (1)", read_only());
          }) == "25006");
    CHECK(world.rows() == "0");
    // And whoever did not ask for it is not read only.
    CHECK(test::value(connection, "show transaction_read_only") == "off");
    CHECK(test::value(connection, "select pg_current_xact_id_if_assigned() is null") == "t");
  }
}

TEST_CASE("setting it read write again is refused", "[read_only]") {
  World world;
  CHECK(test::sqlstate_of([&] {
          (void)world.pool.execute("set transaction read write", read_only());
        }) == "25001");
}

TEST_CASE("PostgreSQL's own holes are known: the wall is a role without privileges",
          "[read_only]") {
  World world;
  const auto objects = [&] {
    return world.witness.value("select count(*) from pg_largeobject_metadata");
  };
  const std::string before = objects();
  const std::string sqlstate =
      test::sqlstate_of([&] { (void)world.pool.execute("select lo_create(0)", read_only()); });
  if (world.witness.version() >= 160000) {
    CHECK(sqlstate == "25006");
    CHECK(objects() == before);
  } else {
    world.witness.run("select lo_unlink(oid) from pg_largeobject_metadata");
  }
  // Through the wall even these do not get.
  world.witness.run("drop role if exists read_only_reader");
  world.witness.run("create role read_only_reader");
  auto connection = world.pool.acquire(test::within());
  (void)connection.execute("set role read_only_reader", test::within());
  for (const char* sql :
       {"select pg_import_system_collations('read_only_test')",
        "insert into read_only_test.t values (1)", "create table read_only_test.u ()"}) {
    CAPTURE(sql);
    CHECK_FALSE(test::sqlstate_of([&] { (void)connection.execute(sql, read_only()); }).empty());
  }
  CHECK(world.rows() == "0");
  world.witness.run("drop role read_only_reader");
}

TEST_CASE("two statements in one are refused in every mode", "[read_only]") {
  World world;
  for (const QueryOptions& options : {test::within(), read_only()}) {
    CHECK(test::sqlstate_of([&] {
            (void)world.pool.execute("select 1; insert into read_only_test.t values (1)", options);
          }) == "42601");
    CHECK(test::sqlstate_of([&] {
            (void)world.pool.execute("commit; drop table read_only_test.t", options);
          }) == "42601");
  }
  CHECK(world.rows() == "0");
}

TEST_CASE("a read-only transaction is read only to its end", "[read_only]") {
  World world;
  auto connection = world.pool.acquire(test::within());
  auto transaction = connection.begin({.read_only = true}, test::soon());
  CHECK(transaction.execute("select 1", test::within()).get<int>(0, 0) == 1);
  CHECK(test::sqlstate_of([&] {
          (void)transaction.execute("insert into read_only_test.t values (1)", test::within());
        }) == "25006");
  CHECK_THROWS_AS(transaction.execute("select 1", read_only()), std::logic_error);
  transaction.rollback(test::soon());
  CHECK(world.rows() == "0");
}
