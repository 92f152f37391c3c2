// What one lease leaves behind in its session, the next one must not find.

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "database.hpp"

using query::Connection;
using query::Pool;
using test::Witness;

namespace {

struct Leak {
  std::string name;
  std::vector<std::string> dirt;      // what the first lease runs; its errors do not matter
  std::string probe;                  // what the second lease runs first
  std::string clean;                  // the answer of a session that nobody has used
  bool visible_without_reset = true;  // whether the probe would see it: the test of the test
};

const std::string kSettings =
    "select md5(string_agg(name || '=' || setting, ',' order by name)) from pg_settings";

auto leaks() -> std::vector<Leak> {
  return {
      {"role", {"set role leak_role"}, "select current_user = session_user", "t"},
      {"role by set_config",
       {"select set_config('role', 'leak_role', false)"},
       "show role",
       "none"},
      {"session authorization",
       {"set session authorization leak_role"},
       "select session_user = 'leak_role'",
       "f"},
      {"role under another authorization",
       {"set session authorization leak_role", "set role pg_monitor"},
       "select session_user = 'leak_role' or current_user = 'pg_monitor'",
       "f"},
      {"a setting", {"set work_mem = '77MB'"}, "select current_setting('work_mem') = '77MB'", "f"},
      {"a timeout that is shorter than the reset",
       {"set statement_timeout = '1ms'"},
       "select current_setting('statement_timeout')",
       "0"},
      {"a claim",
       {"select set_config('request.jwt.claims', '{\"sub\":\"victim\"}', false)"},
       "select coalesce(current_setting('request.jwt.claims', true), '')",
       ""},
      {"default_transaction_read_only",
       {"set default_transaction_read_only = on"},
       "show transaction_read_only",
       "off"},
      {"session characteristics",
       {"set session characteristics as transaction isolation level serializable"},
       "show transaction_isolation",
       "read committed"},
      {"search_path",
       {"set search_path = leak, pg_catalog"},
       "select current_schemas(false)::text like '%leak%'",
       "f"},
      {"a search_path that hides what the reset calls",
       {"set search_path = leak, pg_catalog", "select pg_catalog.pg_advisory_lock(4712)"},
       "select count(*)::text from pg_catalog.pg_locks where locktype = 'advisory' and "
       "pid = pg_catalog.pg_backend_pid()",
       "0"},
      {"a temporary table",
       {"create temp table leaked (secret text)"},
       "select to_regclass('pg_temp.leaked') is null",
       "t"},
      {"a temporary table that hides a catalog",
       {"create temp table pg_class as select 1 as oid"},
       "select count(*) > 100 from pg_class",
       "t"},
      {"a temporary function",
       {"create function pg_temp.leaked() returns int language sql as 'select 1'"},
       "select to_regprocedure('pg_temp.leaked()') is null",
       "t"},
      {"LISTEN", {"listen leaked"}, "select count(*)::text from pg_listening_channels()", "0"},
      {"an advisory lock",
       {"select pg_advisory_lock(4711)", "select pg_advisory_lock_shared(4713)"},
       "select count(*)::text from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()",
       "0"},
      {"SQL's PREPARE",
       {"prepare leaked as select 'secret'", "prepare \"Odd \"\"name\"\" \\\" as select 2"},
       "select count(*)::text from pg_prepared_statements where from_sql",
       "0"},
      {"a cursor WITH HOLD",
       {"declare leaked cursor with hold for select 'secret'"},
       "select count(*)::text from pg_cursors where name = 'leaked'",
       "0"},
      {"an open transaction",
       {"begin isolation level serializable", "insert into leak.t values (1)"},
       "show transaction_isolation",
       "read committed",
       false},
      {"an open transaction's effects",
       {"begin", "insert into leak.t values (1)"},
       "select count(*)::text from leak.t",
       "0",
       false},
      {"a failed transaction", {"begin", "select 1/0"}, "select 'fine'", "fine", false},
      {"a savepoint",
       {"begin isolation level repeatable read", "savepoint s"},
       "show transaction_isolation",
       "read committed",
       false},
      {"an open transaction with local settings",
       {"begin", "set local role leak_role", "set local search_path = leak"},
       "select current_user = 'leak_role'",
       "f",
       false},
      {"DISCARD ALL", {"select 'cached'", "discard all"}, "select 'cached'", "cached", false},
      {"DEALLOCATE ALL", {"select 'cached'", "deallocate all"}, "select 'cached'", "cached", false},
      {"client_encoding",
       {"set client_encoding = 'LATIN1'"},
       "select U&'\\00e4\\20ac'",
       "\xc3\xa4\xe2\x82\xac"},
      {"date style", {"set datestyle = 'German'"}, "select '2024-02-01'::date", "2024-02-01"},
      {"time zone",
       {"set timezone = 'Asia/Kathmandu'"},
       "select current_setting('timezone') = 'Asia/Kathmandu'",
       "f"},
      {"interval style", {"set intervalstyle = 'iso_8601'"}, "select '1 day'::interval", "1 day"},
      {"bytea output", {"set bytea_output = 'escape'"}, "select '\\x00'::bytea", "\\x00"},
      {"float digits",
       {"set extra_float_digits = -10"},
       "select 0.1::float8 + 0.2::float8",
       "0.30000000000000004"},
  };
}

class World {
 public:
  World() {
    witness.run("drop schema if exists leak cascade");
    witness.run("drop role if exists leak_role");
    witness.run("create role leak_role");
    witness.run("create schema leak");
    witness.run("create table leak.t (a int)");
    witness.run("create sequence leak.s");
    witness.run("grant usage on schema leak to leak_role");
    // What a reset that does not qualify its names would run instead of PostgreSQL's own.
    witness.run("create function leak.pg_advisory_unlock_all() returns void language sql as ''");
  }
  ~World() {
    witness.run("drop schema leak cascade");
    witness.run("drop role leak_role");
  }
  World(const World&) = delete;
  auto operator=(const World&) -> World& = delete;

  Witness witness;
};

void run_all(Connection& connection, const std::vector<std::string>& statements) {
  for (const std::string& statement : statements) {
    try {
      (void)connection.execute(statement, test::within());
    } catch (const query::SqlError&) {  // NOLINT(bugprone-empty-catch): part of the dirt
    }
  }
}

constexpr const char* kPid = "select pg_backend_pid()";
constexpr const char* kVolatile = "select random()";  // no reset is spared behind it

}  // namespace

TEST_CASE("a lease that comes later finds a session as new", "[session_reset]") {
  World world;
  const bool reset_before = GENERATE(false, true);  // then the reset's statements are prepared
  CAPTURE(reset_before);
  for (const Leak& leak : leaks()) {
    CAPTURE(leak.name);
    Pool pool(test::pool_options());
    if (reset_before) {
      (void)pool.execute(kVolatile, test::within());
      CHECK(test::eventually([&] { return pool.stats().resets == 1 && pool.stats().idle == 1; }));
    }
    std::string dirty_pid;
    {
      auto connection = pool.acquire(test::within());
      dirty_pid = test::value(connection, kPid);
      run_all(connection, leak.dirt);
    }
    CHECK(test::eventually([&] { return pool.stats().idle == 1; }));
    auto connection = pool.acquire(test::within());
    CHECK(test::value(connection, leak.probe) == leak.clean);
    CHECK(test::value(connection, kPid) == dirty_pid);  // cleaned, not replaced
  }
}

TEST_CASE("a lease that was waiting finds a session as new", "[session_reset]") {
  World world;
  for (const Leak& leak : leaks()) {
    CAPTURE(leak.name);
    Pool pool(test::pool_options());
    std::optional<Connection> first(pool.acquire(test::within()));
    const std::string dirty_pid = test::value(*first, kPid);
    std::string probed;
    std::string pid;
    std::thread waiter([&] {
      try {
        auto connection = pool.acquire(test::within());
        probed = test::value(connection, leak.probe);
        pid = test::value(connection, kPid);
      } catch (const std::exception& error) {
        probed = error.what();
      }
    });
    CHECK(test::eventually([&] { return pool.stats().waiting == 1; }));
    run_all(*first, leak.dirt);
    first.reset();
    waiter.join();
    CHECK(probed == leak.clean);
    CHECK(pid == dirty_pid);
  }
}

TEST_CASE("without the reset every probe sees what it looks for", "[session_reset]") {
  // The test of the tests above: a probe that cannot fail would prove nothing.
  World world;
  for (const Leak& leak : leaks()) {
    if (!leak.visible_without_reset) {
      continue;
    }
    CAPTURE(leak.name);
    auto options = test::pool_options();
    options.reset_session = false;
    Pool pool(options);
    {
      auto connection = pool.acquire(test::within());
      run_all(connection, leak.dirt);
    }
    auto connection = pool.acquire(test::within());
    std::string probed = "an error";
    try {
      probed = test::value(connection, leak.probe);
    } catch (const query::SqlError&) {  // NOLINT(bugprone-empty-catch): seen, in its way
    }
    CHECK(probed != leak.clean);
  }
}

TEST_CASE("currval and lastval do not cross leases", "[session_reset]") {
  World world;
  Pool pool(test::pool_options());
  CHECK(test::value(pool, "select nextval('leak.s')") == "1");
  CHECK(test::sqlstate_of([&] { (void)pool.execute("select lastval()", test::within()); }) ==
        "55000");
  (void)pool.execute("select nextval('leak.s')", test::within());
  CHECK(test::sqlstate_of(
            [&] { (void)pool.execute("select currval('leak.s')", test::within()); }) == "55000");
  CHECK(pool.stats().connected == 1);
}

TEST_CASE("every setting is back at its start, whatever was set", "[session_reset]") {
  World world;
  Pool pool(test::pool_options());
  const std::string fresh = test::value(pool, kSettings);
  {
    auto connection = pool.acquire(test::within());
    const auto settings = world.witness.rows(
        "select name, coalesce(enumvals[1], max_val, setting) from pg_settings "
        "where context = 'user' and vartype in ('bool', 'enum', 'integer', 'real') order by name");
    std::size_t changed = 0;
    for (const auto& setting : settings) {
      try {
        (void)connection.execute(
            {"select set_config($1, $2, false)", query::Params::of(*setting[0], *setting[1])},
            test::within());
        ++changed;
      } catch (const query::SqlError&) {  // NOLINT(bugprone-empty-catch): not this one, then
      }
    }
    CHECK(changed > 80);
  }
  CHECK(test::value(pool, kSettings) == fresh);
  CHECK(pool.stats().connected == 1);
}

TEST_CASE("what a user puts in place of the reset's own statements never runs", "[session_reset]") {
  World world;
  Pool pool(test::pool_options());
  const bool reset_before = GENERATE(false, true);
  const bool all = GENERATE(false, true);
  const bool only_deallocate = GENERATE(false, true);
  CAPTURE(reset_before, all, only_deallocate);
  if (reset_before) {
    (void)pool.execute(kVolatile, test::within());
    (void)pool.execute(kVolatile, test::within());
  }
  const std::string pid = test::value(pool, kPid);
  // A request that may only read must not get a write done by the reset either.
  auto options = test::within();
  options.read_only = true;
  (void)pool.execute(
      "do $$ declare ours record; begin "
      "perform set_config('leak.mark', 'here', false), pg_advisory_lock(4711); "
      "for ours in select 'reset_' || i as name from generate_series(" +
          std::string(all ? "1" : "6") +
          ", 6) i loop "
          "if exists (select from pg_prepared_statements p where p.name = ours.name) then "
          "execute 'deallocate ' || ours.name; end if; " +
          (only_deallocate ? ""
                           : "execute 'prepare ' || ours.name || ' as insert into leak.t "
                             "values (1) returning ''query_1'' as name'; ") +
          "end loop; end $$",
      options);
  CHECK(test::eventually([&] { return pool.stats().idle == 1; }));
  CHECK(test::value(pool, "select coalesce(current_setting('leak.mark', true), '')").empty());
  CHECK(test::value(pool, "select count(*)::text from pg_prepared_statements where from_sql") ==
        "0");
  CHECK(test::value(pool,
                    "select count(*)::text from pg_locks where locktype = 'advisory' and "
                    "pid = pg_backend_pid()") == "0");
  CHECK(test::value(pool, kPid) == pid);  // cleaned, not replaced
  CHECK(world.witness.rows("select from leak.t").empty());
}

TEST_CASE("a prepared statement of ours that a user has replaced is not believed",
          "[session_reset]") {
  Pool pool(test::pool_options());
  const std::string honest = "select 'honest' as answer";
  const auto poison = [&] {
    auto connection = pool.acquire(test::within());
    (void)connection.execute(honest, test::within());
    const std::string name =
        test::value(connection, {"select quote_ident(name) from pg_prepared_statements where "
                                 "statement = $1 and not from_sql",
                                 query::Params::of(honest)});
    REQUIRE_FALSE(name.empty());
    (void)connection.execute("deallocate " + name, test::within());
    (void)connection.execute("prepare " + name + " as select 'evil' as answer", test::within());
  };
  SECTION("after the connection was idle") {
    poison();
    CHECK(test::eventually([&] { return pool.stats().idle == 1; }));
    CHECK(test::value(pool, honest) == "honest");
  }
  SECTION("for whoever was waiting") {
    std::optional<Connection> held(pool.acquire(test::within()));
    (void)held->execute(honest, test::within());
    const std::string name = test::value(
        *held, {"select quote_ident(name) from pg_prepared_statements where statement = $1",
                query::Params::of(honest)});
    std::string answer;
    std::thread waiter([&] {
      try {
        answer = test::value(pool, honest);
      } catch (const std::exception& error) {
        answer = error.what();
      }
    });
    CHECK(test::eventually([&] { return pool.stats().waiting == 1; }));
    (void)held->execute("deallocate " + name, test::within());
    (void)held->execute("prepare " + name + " as select 'evil' as answer", test::within());
    held.reset();
    waiter.join();
    CHECK(answer == "honest");
  }
  SECTION("in a batch too") {
    poison();
    const std::vector<query::Statement> batch{honest, honest};
    auto connection = pool.acquire(test::within());
    const auto results = connection.batch(batch, {}, test::within());
    REQUIRE(results.size() == 2);
    CHECK(results[0].get<std::string>(0, 0) == "honest");
    CHECK(results[1].get<std::string>(0, 0) == "honest");
  }
}

TEST_CASE("an idle connection holds no lock, no transaction and no temporary table",
          "[session_reset]") {
  World world;
  Pool pool(test::pool_options());
  {
    auto connection = pool.acquire(test::within());
    run_all(connection, {"select pg_advisory_lock(4714)", "create temp table leaked as select 1",
                         "begin", "lock table leak.t in access exclusive mode"});
  }
  // Nobody leases it again: what was sent at the release must do.
  CHECK(test::eventually(
      [&] { return world.witness.value("select pg_try_advisory_lock(4714)") == "t"; }));
  CHECK(test::eventually([&] {
    return world.witness.value(
               "select count(*) from pg_locks where relation = 'leak.t'::regclass") == "0";
  }));
  CHECK(test::eventually([&] {
    return world.witness.value("select count(*) from pg_class where relname = 'leaked'") == "0";
  }));
}

TEST_CASE("a transaction object that is not committed leaves nothing behind", "[session_reset]") {
  World world;
  Pool pool(test::pool_options());
  {
    auto connection = pool.acquire(test::within());
    auto transaction = connection.begin({}, test::soon());
    (void)transaction.execute("insert into leak.t values (1)", test::within());
    (void)transaction.execute("set local role leak_role", test::within());
  }
  CHECK(test::value(pool, "select count(*)::text || current_user from leak.t") == "0postgres");
  CHECK(pool.stats().connected == 1);
}

TEST_CASE("a batch cannot leave session state to the next lease either", "[session_reset]") {
  World world;
  Pool pool(test::pool_options());
  const std::vector<query::Statement> batch{"set role leak_role",
                                            "select set_config('leak.claim', 'x', false)",
                                            "select pg_advisory_lock(4715)"};
  {
    auto connection = pool.acquire(test::within());
    (void)connection.batch(batch, {}, test::within());
  }
  CHECK(test::value(pool,
                    "select current_user = session_user and coalesce(current_setting('leak.claim', "
                    "true), '') = '' "
                    "and not exists (select from pg_locks where locktype = 'advisory' and pid = "
                    "pg_backend_pid())") == "t");
}

TEST_CASE("hundreds of leases by many threads never meet each other's state", "[session_reset]") {
  Pool pool(test::pool_options(3));
  std::atomic<int> dirty{0};
  std::atomic<int> errors{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 60; ++i) {
        try {
          auto connection = pool.acquire(test::within());
          dirty +=
              test::value(connection, "select coalesce(current_setting('leak.owner', true), '')")
                      .empty()
                  ? 0
                  : 1;
          (void)connection.execute(
              {"select set_config('leak.owner', $1, false)", query::Params::of(t)}, test::within());
          dirty += test::value(connection, "select current_setting('leak.owner', true)") ==
                           std::to_string(t)
                       ? 0
                       : 1;
        } catch (const std::exception&) {
          ++errors;
        }
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  CHECK(dirty == 0);
  CHECK(errors == 0);
}
