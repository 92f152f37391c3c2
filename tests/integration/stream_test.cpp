#include <chrono>
#include <string>
#include <vector>

#include "catch.hpp"
#include "database.hpp"
#include "process.hpp"

using query::Params;
using query::Pool;
using query::QueryOptions;
using query::Rows;
using test::Witness;

namespace {

auto at_most(std::uint64_t rows) -> QueryOptions {
  QueryOptions options = test::within();
  options.max_rows = rows;
  return options;
}

auto count_rows(Rows& rows) -> std::uint64_t {
  std::uint64_t count = 0;
  while (auto block = rows.next()) {
    count += block->rows();
  }
  return count;
}

}  // namespace

TEST_CASE("columns are known before the first row is there", "[stream]") {
  Pool pool(test::pool_options());
  // The later rows take their time: who waits for all cannot have the columns before.
  const auto begin = std::chrono::steady_clock::now();
  auto rows = pool.query(
      "select i as number, repeat('x', 20000) as filler, case when i > 100 then pg_sleep(0.5) end "
      "as nothing from generate_series(1, 102) i",
      test::within());
  REQUIRE(rows.columns().size() == 3);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(450));
  CHECK(rows.columns()[0].name == "number");
  CHECK(rows.columns()[0].oid == 23);
  CHECK(rows.columns()[0].type() == "int4");
  CHECK(rows.columns()[1].type() == "text");
  CHECK(rows.columns()[2].type() == "void");
  CHECK(count_rows(rows) == 102);
}

TEST_CASE("columns are known when there is no row at all", "[stream]") {
  Pool pool(test::pool_options());
  auto rows = pool.query("select 1::int8 as a, 'x'::text as b where false", test::within());
  REQUIRE(rows.columns().size() == 2);
  CHECK(rows.columns()[0].type() == "int8");
  CHECK(rows.columns()[1].name == "b");
  CHECK(count_rows(rows) == 0);
  CHECK(rows.command() == "SELECT");
  CHECK(rows.affected() == 0U);
}

TEST_CASE("a statement that returns no rows has no columns", "[stream]") {
  Pool pool(test::pool_options());
  auto connection = pool.acquire(test::within());
  const auto result = connection.execute("create temp table stream_t (a int)", test::within());
  CHECK(result.columns.empty());
  CHECK(result.command == "CREATE TABLE");
  CHECK_FALSE(result.affected.has_value());
  CHECK(result.rows() == 0);
  const auto inserted =
      connection.execute("insert into stream_t select generate_series(1, 5)", test::within());
  CHECK(inserted.affected == 5U);
  CHECK(inserted.command == "INSERT");
  CHECK(connection.execute("update stream_t set a = 0 where a > 3", test::within()).affected == 2U);
  CHECK(connection.execute("delete from stream_t", test::within()).affected == 5U);
}

TEST_CASE("values arrive in order, text and NULL told apart", "[stream]") {
  Pool pool(test::pool_options());
  auto rows =
      pool.query("select i, nullif('v' || i, 'v3'), '' from generate_series(1, 1000) i order by i",
                 test::within());
  int expected = 0;
  while (auto block = rows.next()) {
    REQUIRE(block->columns() == 3);
    for (std::size_t row = 0; row < block->rows(); ++row) {
      ++expected;
      REQUIRE(block->get<int>(row, 0) == expected);
      REQUIRE(block->is_null(row, 1) == (expected == 3));
      REQUIRE_FALSE(block->is_null(row, 2));
      REQUIRE(block->text(row, 2).empty());
      if (expected != 3) {
        REQUIRE(block->text(row, 1) == "v" + std::to_string(expected));
      }
    }
  }
  CHECK(expected == 1000);
  CHECK(rows.affected() == 1000U);
  CHECK_FALSE(rows.truncated());
  CHECK_FALSE(rows.next());  // the end stays the end
}

TEST_CASE("a million rows stream in constant memory", "[stream]") {
  Pool pool(test::pool_options());
  QueryOptions options;
  options.deadline = query::after(std::chrono::minutes(5));
  (void)pool.execute("select 1", options);
  const std::size_t before = test::resident_bytes();
  std::size_t most = before;
  std::uint64_t count = 0;
  SECTION("as blocks") {
    auto rows = pool.query(
        "select i, md5(i::text), i::numeric / 7 from generate_series(1, 1000000) i", options);
    while (auto block = rows.next()) {
      count += block->rows();
      if (count % 50'000 < block->rows()) {
        most = std::max(most, test::resident_bytes());
      }
    }
    CHECK(count == 1'000'000);
  }
  SECTION("as JSON") {
    query::JsonStream stream(pool.query(
        "select i, md5(i::text), i::numeric / 7 as n from generate_series(1, 1000000) i", options));
    query::Buffer buffer;
    std::size_t bytes = 0;
    bool more = true;
    while (more) {
      buffer.clear();
      more = stream.read(buffer);
      bytes += buffer.size();
      CHECK(buffer.size() < std::size_t{1} << 20);
      if (stream.row_count() / 50'000 != count / 50'000) {
        most = std::max(most, test::resident_bytes());
      }
      count = stream.row_count();
    }
    CHECK(count == 1'000'000);
    CHECK(bytes > 70'000'000);
  }
  if (test::kMemoryIsMeasurable) {
    CHECK(most - before < std::size_t{32} << 20);
  }
}

TEST_CASE("an answer that nobody reads to its end gives its connection back", "[stream]") {
  Pool pool(test::pool_options());
  const std::string pid = test::value(pool, "select pg_backend_pid()");
  SECTION("when little is left") {
    {
      auto rows = pool.query("select generate_series(1, 10)", test::within());
      CHECK(rows.next());
    }
    CHECK(test::value(pool, "select pg_backend_pid()") == pid);
  }
  SECTION("when nothing was read") {
    { const auto rows = pool.query("select generate_series(1, 10)", test::within()); }
    CHECK(test::value(pool, "select pg_backend_pid()") == pid);
  }
  SECTION("when much is left, soon") {
    const auto begin = std::chrono::steady_clock::now();
    {
      auto rows =
          pool.query("select repeat('x', 1000), generate_series(1, 100000000)", test::within());
      CHECK(rows.next());
    }
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(2));
    CHECK(test::value(pool, "select 1") == "1");
    Witness witness;
    CHECK(test::eventually([&] {
      return witness.value(
                 "select count(*) from pg_stat_activity where query like '%generate_series(1, "
                 "100000000)%' and state = 'active' and pid <> pg_backend_pid()") == "0";
    }));
  }
  SECTION("when the statement sleeps") {
    const auto begin = std::chrono::steady_clock::now();
    {
      auto rows = pool.query(
          "select repeat('x', 20000), pg_sleep(case when i > 100 then 20 else 0 end) "
          "from generate_series(1, 102) i",
          test::within());
    }
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(2));
    CHECK(test::value(pool, "select 1") == "1");
  }
  SECTION("a hundred times over") {
    for (int i = 0; i < 100; ++i) {
      auto rows =
          pool.query("select repeat('x', 1000) from generate_series(1, 5000)", test::within());
      CHECK(rows.next());
    }
    CHECK(test::value(pool, "select 1") == "1");
    CHECK(pool.stats().size == 1);
  }
}

TEST_CASE("an abandoned answer's writes are not half done", "[stream]") {
  Witness witness;
  witness.run("drop table if exists stream_test_t");
  witness.run("create table stream_test_t (a int)");
  Pool pool(test::pool_options());
  {
    auto rows = pool.query(
        "insert into stream_test_t select generate_series(1, 200000) returning a, repeat('x', 100)",
        test::within());
    CHECK(rows.next());
  }
  CHECK(test::value(pool, "select 1") == "1");
  const std::string count = witness.value("select count(*) from stream_test_t");
  CHECK((count == "0" || count == "200000"));
  witness.run("drop table stream_test_t");
}

TEST_CASE("max_rows cuts where it says and tells so", "[stream]") {
  Pool pool(test::pool_options());
  for (const std::uint64_t limit : {0U, 1U, 2U, 63U, 64U, 65U, 999U}) {
    CAPTURE(limit);
    auto rows = pool.query("select generate_series(1, 1000)", at_most(limit));
    CHECK(rows.columns().size() == 1);
    CHECK(count_rows(rows) == limit);
    CHECK(rows.truncated());
    CHECK(rows.command() == "SELECT");
    CHECK(rows.affected() == limit);
  }
  for (const std::uint64_t limit : {1000U, 1001U}) {
    CAPTURE(limit);
    auto rows = pool.query("select generate_series(1, 1000)", at_most(limit));
    CHECK(count_rows(rows) == 1000);
    CHECK_FALSE(rows.truncated());
    CHECK(rows.affected() == 1000U);
  }
  CHECK(pool.stats().connected == 1);
}

TEST_CASE("a whole answer is one block, unless max_rows cuts it", "[stream]") {
  Pool pool(test::pool_options());
  auto connection = pool.acquire(test::within());
  const std::string sql = "select i from generate_series(1, 1000) i";
  for (const bool read_only : {false, true}) {
    QueryOptions options = test::within();
    options.read_only = read_only;
    const auto whole = connection.execute(sql, options);
    CHECK(whole.blocks.size() == 1);
    CHECK(whole.get<int>(999, 0) == 1000);
    CHECK(whole.affected == 1000U);
    CHECK_FALSE(whole.truncated);
    options.max_rows = 7;
    const auto cut = connection.execute(sql, options);
    CHECK(cut.rows() == 7);
    CHECK(cut.truncated);
  }
  const auto none = connection.execute("select 1 where false", test::within());
  CHECK(none.blocks.empty());
  CHECK(none.columns.size() == 1);
  CHECK_THROWS_AS(
      connection.execute("select 1 / (500 - i) from generate_series(1, 1000) i", test::within()),
      query::SqlError);
  const std::vector<query::Statement> batch{sql, "select 'b'", sql};
  const auto results = connection.batch(batch, {}, test::within());
  REQUIRE(results.size() == 3);
  CHECK(results[0].blocks.size() == 1);
  CHECK(results[1].get<std::string>(0, 0) == "b");
  CHECK(results[2].rows() == 1000);
}

TEST_CASE("max_rows of a read-only query ends the statement at once", "[stream]") {
  Pool pool(test::pool_options());
  QueryOptions options = at_most(5);
  options.read_only = true;
  const auto begin = std::chrono::steady_clock::now();
  {
    auto rows = pool.query("select repeat('x', 1000), generate_series(1, 200000000)", options);
    CHECK(count_rows(rows) == 5);
    CHECK(rows.truncated());
    CHECK(rows.command() == "SELECT");
  }
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
  CHECK(test::value(pool, "select 1") == "1");
}

TEST_CASE("max_rows does not undo what a statement does", "[stream]") {
  Witness witness;
  witness.run("drop table if exists stream_test_t");
  witness.run("create table stream_test_t (a int)");
  Pool pool(test::pool_options());
  auto rows = pool.query("insert into stream_test_t select generate_series(1, 5000) returning a",
                         at_most(3));
  CHECK(count_rows(rows) == 3);
  CHECK(rows.truncated());
  CHECK(rows.command() == "INSERT");
  CHECK(witness.value("select count(*) from stream_test_t") == "5000");
  CHECK(rows.affected() == 5000U);
  witness.run("drop table stream_test_t");
}

TEST_CASE("rows without columns are counted", "[stream]") {
  Pool pool(test::pool_options());
  auto rows = pool.query("select from generate_series(1, 5)", test::within());
  CHECK(rows.columns().empty());
  CHECK(count_rows(rows) == 5);
  CHECK(rows.affected() == 5U);
}

TEST_CASE("duplicate names are kept, in order", "[stream]") {
  Pool pool(test::pool_options());
  const auto result = pool.execute("select 1 as a, 2 as a, 3 as \"A\"", test::within());
  REQUIRE(result.columns.size() == 3);
  CHECK(result.columns[0].name == "a");
  CHECK(result.columns[1].name == "a");
  CHECK(result.columns[2].name == "A");
  CHECK(result.get<int>(0, 1) == 2);
}

TEST_CASE("an error in the middle of a stream is thrown there, and the connection stays",
          "[stream]") {
  Pool pool(test::pool_options());
  const std::string pid = test::value(pool, "select pg_backend_pid()");
  {
    auto rows =
        pool.query("select 1000 / (5000 - i), repeat('x', 100) from generate_series(1, 10000) i",
                   test::within());
    std::uint64_t count = 0;
    std::string sqlstate;
    try {
      while (auto block = rows.next()) {
        count += block->rows();
      }
    } catch (const query::SqlError& error) {
      sqlstate = error.sqlstate();
    }
    CHECK(sqlstate == "22012");
    CHECK(count > 0);
    CHECK(count < 5000);
  }
  CHECK(test::value(pool, "select pg_backend_pid()") == pid);
}

TEST_CASE("a connection does one thing at a time", "[stream]") {
  Pool pool(test::pool_options());
  auto connection = pool.acquire(test::within());
  {
    auto rows = connection.query("select generate_series(1, 10000)", test::within());
    CHECK_THROWS_AS(connection.execute("select 1", test::within()), std::logic_error);
    CHECK_THROWS_AS(connection.begin({}, test::soon()), std::logic_error);
    CHECK(count_rows(rows) == 10'000);
    CHECK(test::value(connection, "select 1") == "1");  // read to its end, though still alive
  }
  CHECK(test::value(connection, "select 2") == "2");
}

TEST_CASE("leases, and what is made from them, outlive the pool", "[stream]") {
  auto pool = std::make_unique<Pool>(test::pool_options(2));
  auto connection = pool->acquire(test::within());
  auto rows = pool->query("select generate_series(1, 100000)", test::within());
  pool.reset();
  CHECK(test::value(connection, "select 1") == "1");
  CHECK(count_rows(rows) == 100'000);
}

TEST_CASE("large values come through whole", "[stream]") {
  Pool pool(test::pool_options());
  const std::string large(20'000'000, 'x');
  const auto result =
      pool.execute({"select $1::text, length($1::text)", Params::of(large)}, test::within());
  CHECK(result.get<std::string>(0, 0) == large);
  CHECK(result.get<int>(0, 1) == 20'000'000);
}
