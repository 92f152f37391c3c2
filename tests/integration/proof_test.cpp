// Statements that provably leave no trace, and all the ways to leave one.

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "database.hpp"

using query::Params;
using query::Pool;

namespace {

auto one_connection() -> query::PoolOptions {
  auto options = test::pool_options();
  options.max_size = 1;
  return options;
}

/// Uses the pool until the catalog, as it is by now, has been read.
void wake(Pool& pool) {
  const std::string sql = "select 1 as awake";
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!pool.leaves_no_trace(sql)) {
    if (std::chrono::steady_clock::now() > end) {
      throw std::runtime_error("the catalog is never read");
    }
    pool.execute(sql, test::within());
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

/// A pool of one connection that has just read the catalog, whatever it says.
class ReadyPool {
 public:
  explicit ReadyPool(const query::PoolOptions& options = one_connection()) : pool(options) {
    for (int i = 0; i < 60; ++i) {  // it is read once that is worth it
      pool.execute("select 1", test::within());
    }
  }
  Pool pool;
};

/// What a session looks like to the next one who gets it.
auto state(Pool& pool) -> std::string {
  return *pool.execute(
                  "select current_setting('app.mark', true) is distinct from 'left' "
                  "and current_user = session_user "
                  "and not exists (select from pg_prepared_statements where from_sql) "
                  "and not exists (select from pg_cursors where is_holdable) "
                  "and not exists (select from pg_listening_channels()) "
                  "and not exists (select from pg_locks where locktype = 'advisory' "
                  "                and pid = pg_backend_pid()) "
                  "and to_regclass('pg_temp.left_behind') is null",
                  test::within())
              .get<std::string>(0, 0);
}

/// A schema of its own, with ways to leave a trace in it.
class Traps {
 public:
  Traps() {
    witness_.run("drop schema if exists traps cascade");
    witness_.run("drop schema if exists traps_shadow cascade");
    witness_.run("create schema traps; create schema traps_shadow");
    witness_.run(
        "create function traps.mark(text) returns text language sql volatile as "
        "$$ select set_config('app.mark', 'left', false) $$");
    witness_.run("create view traps.seen as select traps.mark('x') as m");
    witness_.run("create view traps.deep as select * from traps.seen");
    witness_.run("create table traps.film (id int primary key, title text)");
    witness_.run("insert into traps.film values (1, 'Metropolis')");
    witness_.run(
        "create function traps.note(traps.film) returns text language sql volatile as "
        "$$ select set_config('app.mark', 'left', false) $$");
    witness_.run("create table traps.guarded (id int); insert into traps.guarded values (1)");
    witness_.run("alter table traps.guarded enable row level security");
    witness_.run("alter table traps.guarded force row level security");
    witness_.run("create policy p on traps.guarded using (traps.mark('x') is not null)");
    witness_.run("create sequence traps.seq");
  }
  Traps(const Traps&) = delete;
  auto operator=(const Traps&) -> Traps& = delete;
  ~Traps() {
    witness_.run("drop schema traps cascade");
    witness_.run("drop schema traps_shadow cascade");
  }

  auto witness() -> test::Witness& { return witness_; }

 private:
  test::Witness witness_;
};

}  // namespace

TEST_CASE("nothing that may leave a trace is proven, and no trace crosses", "[proof]") {
  Traps traps;
  auto options = one_connection();
  options.conninfo = test::dsn_with("options='-c search_path=public,traps'");
  Pool pool(options);
  wake(pool);
  for (const char* sql : {
           // Of SQL's own.
           "set app.mark = 'left'",
           "select set_config('app.mark', 'left', false)",
           "select pg_catalog . set_config /* ( */ ('app.mark', 'left', false)",
           "select \"set_config\"('app.mark', 'left', false)",
           "select U&\"\\0073et_config\"('app.mark', 'left', false)",
           "select U&\"!0073et_config\" uescape '!' ('app.mark', 'left', false)",
           "select set_config -- x\n('app.mark', 'left', false)",
           "select SET_Config('app.mark', 'left', false)",
           "select 1 where set_config('app.mark', 'left', false) is null",
           "select e'\\'', set_config('app.mark', 'left', false) --'",
           "select $a$ ' $a$, set_config('app.mark', 'left', false) --'",
           "select '/*', set_config('app.mark', 'left', false) /* */",
           "select 1 as \"/*\", set_config('app.mark', 'left', false) /* */",
           "select 1 /* /* */ */, set_config('app.mark', 'left', false)",
           "with a as (select set_config('app.mark', 'left', false)) select * from a",
           "values (set_config('app.mark', 'left', false))",
           "select * from set_config('app.mark', 'left', false) as x(y)",
           "select (select set_config('app.mark', 'left', false))",
           "select pg_advisory_lock(4711)",
           "select pg_try_advisory_lock(4711)",
           "select nextval('traps.seq')",
           "select setseed(0.5)",
           "set role pg_monitor",
           "set session authorization pg_monitor",
           "create temporary table left_behind (id int)",
           "select 1 as id into temporary left_behind",
           "prepare left_behind as select 1",
           "declare left_behind cursor with hold for select 1",
           "listen left_behind",
           "select pg_notify('a', 'b')",
           "select query_to_xml('select traps.mark(''x'')', true, true, '')",
           "select table_to_xml('traps.seen', true, true, '')",
           "select ts_rewrite('a'::tsquery, 'select ''a''::tsquery, traps.mark(''a'')::tsquery')",
           // Of the session's, whose answer depends on it.
           "select current_setting('statement_timeout')",
           "select pg_backend_pid()",
           "select count(*) from pg_settings",
           "select count(*) from pg_prepared_statements",
           "select count(*) from pg_cursor()",
           // Of the user's.
           "select traps.mark('x')",
           "select m from traps.seen",
           "select * from traps.deep",
           "table traps.seen",
           "select substring('abc'::varchar, 1, 2), traps.mark('x')",
           "select distinct on (id) traps.mark('x') from traps.film",
           "select * from traps.film tablesample bernoulli (100)",
           "select f.note from traps.film f",
           "select (f).note from traps.film f",
           "select id from traps.guarded",
       }) {
    CAPTURE(sql);
    CHECK(!pool.leaves_no_trace(sql));
    try {
      pool.execute(sql, test::within());
    } catch (const query::SqlError& error) {
      INFO(error.what());
      CHECK((error.sqlstate() == "42601" || error.sqlstate() == "0A000"));  // no XML here
    }
    CHECK(state(pool) == "t");
  }
}

TEST_CASE("a database is closed where what no name tells of is volatile", "[proof]") {
  struct Way {
    std::vector<const char*> made;
    const char* taken;
  };
  const std::string mark =
      "returns bool language sql volatile as $$ select set_config('app.mark', "
      "'left', false) is not null $$";
  const auto way = GENERATE(values<Way>({
      // Operators, by what SQL makes of other words.
      {{"create operator traps.= (leftarg = varchar, rightarg = varchar, function = traps.both)"},
       "select 1 from traps.word where w in ('a', 'b')"},
      {{"create operator traps.= (leftarg = varchar, rightarg = varchar, function = traps.both)"},
       "select case w when 'b' then 1 end from traps.word"},
      {{"create operator traps.<> (leftarg = varchar, rightarg = varchar, function = traps.both)"},
       "select w != 'b' from traps.word"},
      {{"create operator traps.~~ (leftarg = varchar, rightarg = varchar, function = traps.both)"},
       "select w like 'b' from traps.word"},
      {{"create function traps.never(oid, oid) returns bool language sql volatile as $$ select "
        "set_config('app.mark', 'left', false) is null $$",
        "create operator traps.= (leftarg = oid, rightarg = oid, function = traps.never)"},
       "select 1 where oid '1' in (2, 3)"},
      // Casts and comparisons.
      {{"create function traps.to_json(traps.pair) returns json language sql volatile as "
        "$$ select to_json(set_config('app.mark', 'left', false)) $$",
        "create cast (traps.pair as json) with function traps.to_json(traps.pair)"},
       "select json_agg(p) from traps.pairs"},
      {{"create function traps.order_of(traps.pair, traps.pair) returns int language sql volatile "
        "as $$ select length(set_config('app.mark', 'left', false)) $$",
        "create function traps.less(traps.pair, traps.pair) returns bool language sql immutable as "
        "$$ select false $$",
        "create operator traps.< (leftarg = traps.pair, rightarg = traps.pair, function = "
        "traps.less)",
        "create operator traps.= (leftarg = traps.pair, rightarg = traps.pair, function = "
        "traps.less)",
        "create operator class traps.by_mark default for type traps.pair using btree as operator 1 "
        "traps.<, operator 3 traps.=, function 1 traps.order_of(traps.pair, traps.pair)"},
       "select p from traps.pairs order by p"},
      // Domains, by types that are made of them, and by what takes their type.
      {{"create domain traps.d as text check (traps.mark(value) is not null)"},
       "select 'x'::traps.d"},
      {{"create domain traps.d as text check (traps.mark(value) is not null)"},
       "select '{x}'::traps._d"},
      {{"create domain traps.d as text check (set_config('app.mark', 'left', false) = 'left')",
        "create table traps.t (a traps.d[])", "insert into traps.t values ('{}')"},
       "select 1 from traps.t where a = '{x}'"},
      {{"create domain traps.d as text check (traps.mark(value) is not null)",
        "create table traps.t (a traps.d[])", "insert into traps.t values ('{}')"},
       "select array_append(a, 'x') from traps.t"},
      {{"create domain traps.d as text check (traps.mark(value) is not null)",
        "create type traps.r as range (subtype = traps.d)", "create table traps.t (a traps.r)"},
       "select 1 from traps.t where a = '[a,b]'"},
      {{"create domain traps.d as text check (traps.mark(value) is not null)",
        "create type traps.c as (a traps.d)"},
       "select * from json_to_record('{\"x\": {\"a\": \"b\"}}') as j(x traps.c)"},
      {{"create domain traps.d as text check (traps.mark(value) is not null)"},
       "select array_in('{x}', (select oid from pg_type where typname = chr(100)), -1)"},
  }));
  Traps traps;
  traps.witness().run("create table traps.word (w varchar); insert into traps.word values ('a')");
  traps.witness().run("create type traps.pair as (a int); create table traps.pairs (p traps.pair)");
  traps.witness().run("insert into traps.pairs values ('(1)'), ('(2)')");
  traps.witness().run("create function traps.both(varchar, varchar) " + mark);
  REQUIRE(ReadyPool().pool.leaves_no_trace("select 1"));
  for (const char* sql : way.made) {
    CAPTURE(sql);
    traps.witness().run(sql);
  }
  CAPTURE(way.taken);
  auto options = one_connection();
  options.conninfo = test::dsn_with("options='-c search_path=traps,pg_catalog,public'");
  ReadyPool ready(options);
  CHECK(!ready.pool.leaves_no_trace("select 1"));
  CHECK(!ready.pool.leaves_no_trace(way.taken));
  ready.pool.execute(way.taken, test::within());
  CHECK(state(ready.pool) == "t");
}

TEST_CASE("domains, operators and casts that are not volatile keep a database open", "[proof]") {
  Traps traps;
  for (const char* sql : {
           "create domain traps.positive as int check (value > 0)",
           "create table traps.t (a traps.positive, b traps.positive[])",
           "create function traps.same(varchar, varchar) returns bool language sql immutable as "
           "$$ select true $$",
           "create operator traps.=== (leftarg = varchar, rightarg = varchar, function = "
           "traps.same)",
       }) {
    traps.witness().run(sql);
  }
  ReadyPool ready;
  CHECK(ready.pool.leaves_no_trace("select a from traps.t where a = 1 and b = '{1}'"));
  CHECK(ready.pool.leaves_no_trace("select '1'::traps.positive"));
  CHECK(ready.pool.leaves_no_trace("select 'a'::varchar operator(traps.===) 'b'::varchar"));
}

TEST_CASE("what is commonly read is proven", "[proof]") {
  Traps traps;
  Pool pool(one_connection());
  wake(pool);
  for (const char* sql : {
           "select * from traps.film where id = $1::int",
           "select f.title from traps.film f join traps.film g using (id) left join traps.film h "
           "on h.id = g.id",
           "select count(*), sum(id) filter (where id > 0), max(title) from traps.film group by id "
           "having count(*) > 0 order by 1 desc nulls last limit 5 offset 0",
           "select row_number() over (partition by id order by title rows between 1 preceding and "
           "current row) from traps.film",
           "with recursive n as (select 1 as i union all select i + 1 from n where i < 5) "
           "select * from n",
           "select json_agg(f), jsonb_build_object('a', 1) ->> 'a', to_json(f) from traps.film f "
           "group by f",
           "select lower(title) || upper(title), length(trim(title)), substring(title from 2 for "
           "1), replace(title, 'a', 'b'), split_part(title, 'o', 1) from traps.film",
           "select date_trunc('day', now()), extract(year from current_date), current_timestamp, "
           "age(now()), to_char(now(), 'YYYY')",
           "select g from generate_series(1, 3) as g, generate_series(1, 3) h(i)",
           "select id, name from (values (1, 'a')) v(id, name)",
           "with recursive n(i) as (select 1 union all select i + 1 from n where i < 5) "
           "select i from n",
           "select * from json_to_record('{\"a\": 1}') as x(a int)",
           "select a, b from unnest(array[1, 2], array['x', 'y']) as t(a, b)",
           "select x.id from traps.film f, lateral (select f.id) x",
           "select '1'::int, cast('2' as bigint), date '2024-01-01', interval '1 day', "
           "'{1}'::int[], 'a'::varchar(3), 1::numeric(5, 2)",
           "select id from traps.film where id in (1, 2) and title like 'M%' and id between 1 and "
           "2 and exists (select 1) and not (id is null) and id = any(array[1])",
           "select case when id = 1 then 'a' else 'b' end, coalesce(title, ''), nullif(id, 2), "
           "greatest(1, 2) from traps.film",
           "select distinct on (id) id from traps.film order by id",
           "values (1, 'a'), (2, 'b')",
           "table traps.film",
           "(select 1 union all select 2) except select 3",
           "select count(*) from pg_class",
           "select title ~ '^M', title similar to 'M%', array_agg(id), string_agg(title, ',') from "
           "traps.film group by title",
           "select '[1,2]'::jsonb @> '1', '{\"a\": 1}'::json #>> '{a}'",
       }) {
    CAPTURE(sql);
    CHECK(pool.leaves_no_trace(sql));
    Params params;
    if (std::string_view(sql).find("$1") != std::string_view::npos) {
      params.add(1);
    }
    CHECK_NOTHROW(pool.execute({sql, params}, test::within()));
  }
}

TEST_CASE("only what is proven, and stands alone, spares the reset", "[proof]") {
  Pool pool(one_connection());
  wake(pool);
  const auto resets_of = [&pool](auto&& work) {
    const auto before = pool.stats();
    work();
    const auto after = pool.stats();
    CHECK(after.resets + after.resets_skipped == before.resets + before.resets_skipped + 1);
    return after.resets - before.resets;
  };
  const auto run = [&pool](const char* sql) { pool.execute(sql, test::within()); };
  CHECK(resets_of([&] { run("select 1"); }) == 0);
  CHECK(resets_of([&] { pool.execute("select 1", {.read_only = true}); }) == 0);
  CHECK(resets_of([&] {
          auto connection = pool.acquire();
          connection.execute("select 1");
          connection.execute("select lower('A')");
        }) == 0);
  CHECK(resets_of([&] {
          auto connection = pool.acquire();
          connection.execute("select 1");
          connection.execute("select random()");
          connection.execute("select 1");
        }) == 1);
  CHECK(resets_of([&] { run("select random()"); }) == 1);
  CHECK(resets_of([&] { run("set app.mark = 'left'"); }) == 1);
  CHECK(resets_of([&] {
          auto connection = pool.acquire();
          connection.execute("begin");
          connection.execute("select 1");
        }) == 1);
  CHECK(resets_of([&] {
          const std::vector<query::Statement> statements{"select 1", "select 2"};
          pool.acquire().batch(statements);
        }) == 1);
  CHECK(resets_of([&] {
          auto connection = pool.acquire();
          auto transaction = connection.begin();
          transaction.execute("select 1");
          transaction.commit();
        }) == 1);
  CHECK(resets_of([&] { CHECK_THROWS_AS(run("select 1 / 0"), query::SqlError); }) == 0);
  CHECK(resets_of([&] {
          query::QueryOptions options;
          options.deadline = query::after(std::chrono::milliseconds(20));
          const char* const slow = "select count(*) from generate_series(1, 100000000)";
          CHECK(pool.leaves_no_trace(slow));
          CHECK_THROWS_AS(pool.execute(slow, options), query::Timeout);
        }) == 1);
  CHECK(resets_of([&] {
          auto connection = pool.acquire();
          (void)connection.canceller();
          connection.execute("select 1");
        }) == 1);
  CHECK(state(pool) == "t");
}

TEST_CASE("what this pool changes in the catalog counts at once", "[proof]") {
  Traps traps;
  auto options = one_connection();
  options.max_size = 2;
  options.conninfo = test::dsn_with("options='-c search_path=public,traps_shadow'");
  Pool pool(options);
  const char* const read = "select lower('ABC'::varchar)";
  const char* const create =
      "create or replace function traps_shadow.lower(varchar) returns text language sql volatile "
      "as $$ select set_config('app.mark', 'left', false) $$";
  const auto with = GENERATE(0, 1, 2, 3);
  CAPTURE(with);
  wake(pool);
  REQUIRE(pool.leaves_no_trace(read));
  {
    auto connection = pool.acquire();
    if (with == 0) {
      connection.execute(create);
    } else if (with == 1) {
      const std::vector<query::Statement> statements{"select 1", create};
      connection.batch(statements);
    } else if (with == 2) {
      auto transaction = connection.begin();
      transaction.execute(create);
      CHECK(!pool.leaves_no_trace(read));
      transaction.commit();
    } else {
      connection.execute("begin");
      connection.execute(create);
      CHECK(!pool.leaves_no_trace(read));
      connection.execute("commit");
    }
    CHECK(!pool.leaves_no_trace(read));
  }
  CHECK(!pool.leaves_no_trace(read));
  wake(pool);
  CHECK(!pool.leaves_no_trace(read));
  pool.execute(read, test::within());
  CHECK(state(pool) == "t");
}

TEST_CASE("a change that takes effect behind a proof costs the reset", "[proof]") {
  Traps traps;
  auto options = one_connection();
  options.max_size = 3;
  options.conninfo = test::dsn_with("options='-c search_path=public,traps_shadow'");
  Pool pool(options);
  const char* const read = "select lower('ABC'::varchar)";
  const char* const create =
      "create function traps_shadow.lower(varchar) returns text language sql volatile "
      "as $$ select set_config('app.mark', 'left', false) $$";
  wake(pool);
  std::uint64_t skipped = 0;
  SECTION("between the proof and the statement") {
    query::Pipeline reader(pool.acquire());
    REQUIRE(pool.leaves_no_trace(read));
    reader.submit({read});
    pool.execute(create, test::within());
    skipped = pool.stats().resets_skipped;
    while (reader.pending() > 0) {
      reader.advance();
      (void)reader.next();
    }
  }
  SECTION("before this side has heard of its end") {
    query::Pipeline writer(pool.acquire());
    writer.submit({create});
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(1200);
    while (std::chrono::steady_clock::now() < end) {  // the old state is not read for a new one
      pool.execute(read, test::within());
    }
    writer.advance();
    REQUIRE(test::eventually([&] {
      return traps.witness().value("select to_regproc('traps_shadow.lower') is not null") == "t";
    }));
    skipped = pool.stats().resets_skipped;
    pool.execute(read, test::within());
    CHECK(!pool.leaves_no_trace(read));
  }
  CHECK(pool.stats().resets_skipped == skipped);
  CHECK(state(pool) == "t");
}

TEST_CASE("threads that share sessions never see each other's traces", "[proof]") {
  Traps traps;
  auto options = test::pool_options();
  options.max_size = 3;
  Pool pool(options);
  wake(pool);
  const std::vector<std::string> deeds{
      "select 1",
      "select title from traps.film where id = 1",
      "select lower('A')",
      "set app.mark = 'left'",
      "select traps.mark('x')",
      "select * from traps.deep",
      "create temporary table left_behind (id int)",
      "select pg_advisory_lock(4711)",
      "listen left_behind",
      "select 1 / 0",
      "create or replace function traps.f() returns int language sql as 'select 1'",
  };
  std::vector<std::thread> threads;
  std::atomic<int> dirty = 0;
  for (unsigned seed = 0; seed < 6; ++seed) {
    threads.emplace_back([&, seed] {
      for (unsigned i = 0; i < 150; ++i) {
        try {
          dirty += state(pool) == "t" ? 0 : 1;
          pool.execute(deeds[(i * 7 + seed * 3 + i / 11) % deeds.size()], test::within());
        } catch (const query::SqlError&) {  // a division by zero, two that replace one function
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  CHECK(dirty == 0);
  CHECK(pool.stats().resets_skipped > 0);
}
