#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <thread>

#include "catch.hpp"
#include "database.hpp"

using namespace std::chrono_literals;
using query::Connection;
using query::Pool;
using query::QueryOptions;
using test::Witness;
using Clock = std::chrono::steady_clock;

namespace {

constexpr const char* kPid = "select pg_backend_pid()";
constexpr const char* kSleep = "select pg_sleep(20)";

auto expiring(std::chrono::milliseconds time) -> QueryOptions {
  QueryOptions options;
  options.deadline = query::after(time);
  return options;
}

/// Waits until the backend runs something that contains `text`.
auto runs(Witness& witness, const std::string& text) -> bool {
  return test::eventually([&] {
    return witness.value(
               "select count(*) from pg_stat_activity where state = 'active' and query like '%" +
               text + "%' and pid <> pg_backend_pid()") != "0";
  });
}

}  // namespace

TEST_CASE("another thread cancels what a connection runs", "[cancel]") {
  Pool pool(test::pool_options());
  Witness witness;
  auto connection = pool.acquire(test::within());
  const std::string pid = test::value(connection, kPid);
  const auto canceller = connection.canceller();
  bool delivered = false;
  std::thread other([&] { delivered = runs(witness, "pg_sleep(20)") && canceller.cancel(); });
  const auto begin = Clock::now();
  CHECK(test::sqlstate_of([&] { (void)connection.execute(kSleep, test::within()); }) == "57014");
  other.join();
  CHECK(delivered);
  CHECK(Clock::now() - begin < 15s);
  CHECK(test::value(connection, kPid) == pid);
}

TEST_CASE("a cancel when nothing runs does nothing", "[cancel]") {
  Pool pool(test::pool_options());
  auto connection = pool.acquire(test::within());
  const auto canceller = connection.canceller();
  const auto copy = canceller;
  for (int i = 0; i < 20; ++i) {
    (void)copy.cancel();
    std::this_thread::sleep_for(2ms);
    CHECK(test::value(connection, "select 1") == "1");
  }
}

TEST_CASE("a canceller of a lease that has ended is dead", "[cancel]") {
  Pool pool(test::pool_options());
  std::optional<query::Canceller> canceller;
  {
    auto connection = pool.acquire(test::within());
    canceller.emplace(connection.canceller());
    CHECK(test::value(connection, "select 1") == "1");
  }
  Witness witness;
  bool delivered = true;
  std::thread other([&] { delivered = !runs(witness, "pg_sleep(0.5)") || canceller->cancel(); });
  CHECK(test::sqlstate_of([&] {
          (void)pool.execute("select pg_sleep(0.5)", test::within());
        }).empty());
  other.join();
  CHECK_FALSE(delivered);
}

TEST_CASE("a canceller outlives its pool without harm", "[cancel]") {
  std::optional<query::Canceller> canceller;
  {
    Pool pool(test::pool_options());
    auto connection = pool.acquire(test::within());
    canceller.emplace(connection.canceller());
  }
  CHECK_FALSE(canceller->cancel());
}

TEST_CASE("a late cancel never hits the next lease", "[cancel]") {
  Pool pool(test::pool_options());
  std::atomic<int> hit{0};
  for (int round = 0; round < 100; ++round) {
    std::optional<Connection> first(pool.acquire(test::within()));
    const auto canceller = first->canceller();
    std::atomic<bool> stop{false};
    std::thread eager([&] {
      while (!stop) {
        (void)canceller.cancel();
      }
    });
    try {
      (void)first->execute("select pg_sleep(0.002)", test::within());
    } catch (const query::SqlError& error) {
      CHECK(error.sqlstate() == "57014");
    }
    first.reset();  // while cancels are on their way
    try {
      (void)pool.execute("select pg_sleep(0.005)", test::within());
    } catch (const query::Error& error) {
      ++hit;
    }
    stop = true;
    eager.join();
  }
  CHECK(hit == 0);
}

TEST_CASE("a deadline ends a statement, and the connection is used again", "[cancel]") {
  Pool pool(test::pool_options());
  const std::string pid = test::value(pool, kPid);
  const auto begin = Clock::now();
  try {
    (void)pool.execute(kSleep, expiring(150ms));
    FAIL("the statement outlived its deadline");
  } catch (const query::Timeout& timeout) {
    CHECK_FALSE(timeout.outcome_unknown());
    CHECK_FALSE(timeout.connection_lost());
  }
  CHECK(Clock::now() - begin >= 150ms);
  CHECK(Clock::now() - begin < 3s);
  CHECK(test::value(pool, kPid) == pid);
  CHECK(pool.stats().connected == 1);
}

TEST_CASE("what a deadline ended has left nothing", "[cancel]") {
  Witness witness;
  witness.run("drop table if exists cancel_test_t");
  witness.run("create table cancel_test_t (a int)");
  Pool pool(test::pool_options());
  CHECK_THROWS_AS(pool.execute("with w as (insert into cancel_test_t values (1) returning a) "
                               "select pg_sleep(20) from w",
                               expiring(150ms)),
                  query::Timeout);
  const std::vector<query::Statement> batch{"insert into cancel_test_t values (2)", kSleep};
  auto connection = pool.acquire(test::within());
  CHECK_THROWS_AS(connection.batch(batch, {}, expiring(150ms)), query::Timeout);
  CHECK(test::value(connection, "select count(*) from cancel_test_t") == "0");
  CHECK(witness.value("select count(*) from cancel_test_t") == "0");
  witness.run("drop table cancel_test_t");
  CHECK(pool.stats().connected == 1);
}

TEST_CASE("a deadline that has passed already sends nothing", "[cancel]") {
  Witness witness;
  witness.run("drop table if exists cancel_test_t");
  witness.run("create table cancel_test_t (a int)");
  Pool pool(test::pool_options());
  auto connection = pool.acquire(test::within());
  try {
    (void)connection.execute("insert into cancel_test_t values (1)", expiring(-1ms));
    FAIL("it ran");
  } catch (const query::Timeout& timeout) {
    CHECK_FALSE(timeout.outcome_unknown());
  }
  CHECK_THROWS_AS(pool.execute("insert into cancel_test_t values (1)", expiring(-1ms)),
                  query::Timeout);
  CHECK(test::value(connection, "select count(*) from cancel_test_t") == "0");
  witness.run("drop table cancel_test_t");
}

TEST_CASE("a deadline in the middle of a stream ends it", "[cancel]") {
  Pool pool(test::pool_options());
  auto options = expiring(400ms);
  std::uint64_t count = 0;
  const auto begin = Clock::now();
  {
    auto rows = pool.query(
        "select repeat('x', 20000), pg_sleep(0.005) from generate_series(1, 4000)", options);
    CHECK_THROWS_AS(
        [&] {
          while (auto block = rows.next()) {
            count += block->rows();
          }
        }(),
        query::Timeout);
  }
  CHECK(count > 0);
  CHECK(Clock::now() - begin < 4s);
  CHECK(test::value(pool, "select 1") == "1");
}

TEST_CASE("the deadline covers the wait for a connection", "[cancel]") {
  Pool pool(test::pool_options());
  const auto held = pool.acquire(test::within());
  const auto begin = Clock::now();
  CHECK_THROWS_AS(pool.execute("select 1", expiring(100ms)), query::Timeout);
  CHECK(Clock::now() - begin < 3s);
  CHECK(pool.stats().waiting == 0);
}

TEST_CASE("a deadline inside a transaction leaves the transaction to its owner", "[cancel]") {
  Witness witness;
  witness.run("drop table if exists cancel_test_t");
  witness.run("create table cancel_test_t (a int)");
  Pool pool(test::pool_options());
  {
    auto connection = pool.acquire(test::within());
    auto transaction = connection.begin({}, test::soon());
    (void)transaction.execute("insert into cancel_test_t values (1)", test::within());
    CHECK_THROWS_AS(transaction.execute(kSleep, expiring(150ms)), query::Timeout);
    CHECK(test::sqlstate_of([&] { (void)transaction.execute("select 1", test::within()); }) ==
          "25P02");
    CHECK(test::sqlstate_of([&] { transaction.commit(test::soon()); }) == "25P02");
  }
  CHECK(test::value(pool, "select count(*) from cancel_test_t") == "0");
  witness.run("drop table cancel_test_t");
}

TEST_CASE("an interruption ends a statement, and the connection is used again", "[cancel]") {
  Pool pool(test::pool_options());
  const std::string pid = test::value(pool, kPid);
  const auto begin = Clock::now();
  int asked = 0;
  QueryOptions options = test::within();
  options.interrupted = [&] {
    ++asked;
    return Clock::now() - begin > 300ms;
  };
  CHECK_THROWS_AS(pool.execute(kSleep, options), query::Interrupted);
  CHECK(Clock::now() - begin < 4s);
  CHECK(asked >= 2);
  CHECK(test::value(pool, kPid) == pid);
}

TEST_CASE("an interruption ends the wait for a connection", "[cancel]") {
  Pool pool(test::pool_options());
  const auto held = pool.acquire(test::within());
  QueryOptions options = test::within();
  int asked = 0;
  options.interrupted = [&asked] { return ++asked > 1; };
  CHECK_THROWS_AS(pool.execute("select 1", options), query::Interrupted);
  CHECK(pool.stats().waiting == 0);
}

TEST_CASE("statement_timeout is the server's error, not our timeout", "[cancel]") {
  Pool pool(test::pool_options());
  auto connection = pool.acquire(test::within());
  (void)connection.execute("set statement_timeout = '50ms'", test::within());
  CHECK(test::sqlstate_of([&] { (void)connection.execute(kSleep, test::within()); }) == "57014");
  (void)connection.execute("set statement_timeout = 0", test::within());
  CHECK(test::value(connection, "select 1") == "1");
}

TEST_CASE("a statement that catches the cancel is still ended", "[cancel]") {
  // PL/pgSQL may not catch query_canceled by OTHERS, but by its name it may.
  Pool pool(test::pool_options());
  const auto begin = Clock::now();
  CHECK_THROWS_AS(
      pool.execute("do $$ begin loop begin perform pg_sleep(5); exception when query_canceled then "
                   "null; end; end loop; end $$",
                   expiring(150ms)),
      query::Timeout);
  CHECK(Clock::now() - begin < 4s);
  CHECK(test::value(pool, "select 1") == "1");
  Witness witness;
  witness.run(
      "select pg_terminate_backend(pid) from pg_stat_activity where query like '%exception when "
      "query_canceled%' and pid <> pg_backend_pid()");
}
