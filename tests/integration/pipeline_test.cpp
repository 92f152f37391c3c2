// Many statements under way on one connection, driven by poll().

#include <poll.h>

#include <chrono>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "database.hpp"

using query::Params;
using query::Pipeline;
using query::PipelineAnswer;
using query::Pool;

namespace {

/// Turns the wheel until nothing is pending, and gives the answers as they came.
auto drive(Pipeline& pipeline) -> std::vector<PipelineAnswer> {
  std::vector<PipelineAnswer> answers;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (true) {
    pipeline.advance();
    while (auto answer = pipeline.next()) {
      answers.push_back(std::move(*answer));
    }
    if (pipeline.pending() == 0) {
      return answers;
    }
    if (std::chrono::steady_clock::now() > end) {
      throw std::runtime_error("the pipeline hangs");
    }
    pollfd entry{
        .fd = pipeline.socket(),
        .events = static_cast<short>(pipeline.wants_to_write() ? POLLIN | POLLOUT : POLLIN),
        .revents = 0};
    ::poll(&entry, 1, 1000);
  }
}

auto sqlstate_of(const PipelineAnswer& answer) -> std::string {
  if (!answer.error) {
    return "";
  }
  try {
    std::rethrow_exception(answer.error);
  } catch (const query::Error& error) {
    return error.sqlstate();
  } catch (const std::invalid_argument&) {
    return "invalid";
  }
}

auto pool_options() -> query::PoolOptions {
  auto options = test::pool_options();
  options.max_size = 1;
  return options;
}

}  // namespace

TEST_CASE("a pipeline answers each statement, in order", "[pipeline]") {
  Pool pool(pool_options());
  Pipeline pipeline(pool.acquire());
  CHECK(pipeline.pending() == 0);
  for (int i = 1; i <= 2000; ++i) {
    CHECK(pipeline.submit({"select $1::int * 2 as twice, 'x' as x", Params::of(i)}) ==
          static_cast<std::uint64_t>(i));
  }
  CHECK(pipeline.pending() == 2000);
  const auto answers = drive(pipeline);
  REQUIRE(answers.size() == 2000);
  for (int i = 1; i <= 2000; ++i) {
    const PipelineAnswer& answer = answers[static_cast<std::size_t>(i - 1)];
    REQUIRE(answer.number == static_cast<std::uint64_t>(i));
    REQUIRE(!answer.error);
    REQUIRE(answer.result.get<int>(0, 0) == 2 * i);
    REQUIRE(answer.result.columns.at(0).name == "twice");
    REQUIRE(answer.result.command == "SELECT");
    REQUIRE(answer.result.affected == 1);
  }
}

TEST_CASE("one statement's error in a pipeline is not another's", "[pipeline]") {
  Pool pool(pool_options());
  Pipeline pipeline(pool.acquire());
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"select 1", ""},
      {"selct 1", "42601"},
      {"select 1 / 0", "22012"},
      {"selct 1", "42601"},
      {"select 1; select 2", "42601"},
      {"select * from no_such_table", "42P01"},
      {"select 1", ""},
      {"", ""},
      {"select 1 / 0", "22012"},
      {"create temporary table t (i int)", ""},
      {"insert into t values (1), (2)", ""},
      {"select i from t", ""}};
  for (int round = 0; round < 3; ++round) {
    for (const auto& [sql, state] : cases) {
      pipeline.submit(sql);
    }
  }
  const auto answers = drive(pipeline);
  std::map<std::uint64_t, std::string> states;
  for (const PipelineAnswer& answer : answers) {
    states[answer.number] = sqlstate_of(answer);
  }
  REQUIRE(states.size() == 3 * cases.size());
  for (std::size_t i = 0; i < 3 * cases.size(); ++i) {
    const auto& [sql, state] = cases[i % cases.size()];
    CAPTURE(i, sql);
    const bool exists = i >= cases.size() && sql.starts_with("create");
    CHECK(states[i + 1] == (exists ? "42P07" : state));
  }
}

TEST_CASE("an error in a shared transaction is only its own statement's", "[pipeline]") {
  Pool pool(pool_options());
  Pipeline pipeline(pool.acquire(), Pipeline::Transactions::kShared);
  constexpr int kStatements = 300;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < kStatements; ++i) {
      switch (i % 10) {
        case 3:
          pipeline.submit({"select 1 / $1::int", Params::of(0)});
          break;
        case 5:
          pipeline.submit("selct " + std::to_string(i));
          break;
        case 7:
          pipeline.submit("selct 7");
          break;
        default:
          pipeline.submit({"select $1::int", Params::of(i)});
      }
    }
    std::map<std::uint64_t, std::string> texts;
    for (const PipelineAnswer& answer : drive(pipeline)) {
      texts[answer.number] =
          answer.error ? sqlstate_of(answer) : *answer.result.get<std::string>(0, 0);
    }
    REQUIRE(texts.size() == kStatements);
    auto text = texts.begin();
    for (int i = 0; i < kStatements; ++i, ++text) {
      CAPTURE(round, i);
      REQUIRE(text->second == (i % 10 == 3                  ? "22012"
                               : i % 10 == 5 || i % 10 == 7 ? "42601"
                                                            : std::to_string(i)));
    }
  }
}

TEST_CASE("what is sent together shares a transaction only where that is asked for", "[pipeline]") {
  Pool pool(pool_options());
  for (const auto transactions : {Pipeline::Transactions::kOwn, Pipeline::Transactions::kShared}) {
    Pipeline pipeline(pool.acquire(), transactions);
    pipeline.submit("select now()::text");
    pipeline.submit("select pg_sleep(0.01)::text");
    pipeline.submit("select now()::text");
    const auto answers = drive(pipeline);
    const bool same =
        answers.at(0).result.get<std::string>(0, 0) == answers.at(2).result.get<std::string>(0, 0);
    CHECK(same == (transactions == Pipeline::Transactions::kShared));
  }
}

TEST_CASE("a pipeline neither waits nor stalls when both sides have much to say", "[pipeline]") {
  Pool pool(pool_options());
  Pipeline pipeline(pool.acquire());
  const std::string large(1 << 20, 'x');
  for (int i = 0; i < 40; ++i) {
    pipeline.submit({"select $1::text", Params::of(large)});
  }
  const auto answers = drive(pipeline);
  REQUIRE(answers.size() == 40);
  for (const PipelineAnswer& answer : answers) {
    REQUIRE(!answer.error);
    REQUIRE(answer.result.get<std::string>(0, 0) == large);
  }
}

TEST_CASE("JSON parameters in a pipeline follow their types, and order is kept", "[pipeline]") {
  test::Witness witness;
  witness.run("drop type if exists mood cascade; create type mood as enum ('sad', 'ok')");
  for (const std::size_t cache : {256, 0}) {
    auto options = pool_options();
    options.statement_cache = cache;
    Pool pool(options);
    Pipeline pipeline(pool.acquire());
    const auto json = [](std::string_view text) {
      Params params;
      params.add_json(text);
      return params;
    };
    for (int i = 0; i < 2; ++i) {
      pipeline.submit("select 'before'");
      pipeline.submit({"select $1::int[]", json("[1,2]")});
      pipeline.submit({"select $1::jsonb", json("[1,2]")});
      pipeline.submit({"select $1::mood[]", json(R"(["ok",null])")});
      pipeline.submit({"select $1::int[]", json("[1,")});
      pipeline.submit({"selct $1::int[]", json("[]")});
      pipeline.submit("select 'behind'");
    }
    std::map<std::uint64_t, std::string> texts;
    for (const PipelineAnswer& answer : drive(pipeline)) {
      texts[answer.number] =
          answer.error ? sqlstate_of(answer) : *answer.result.get<std::string>(0, 0);
    }
    for (const std::uint64_t base : {0U, 7U}) {
      CHECK(texts[base + 1] == "before");
      CHECK(texts[base + 2] == "{1,2}");
      CHECK(texts[base + 3] == "[1, 2]");
      CHECK(texts[base + 4] == "{ok,NULL}");
      CHECK(texts[base + 5] == "invalid");
      CHECK(texts[base + 6] == "42601");
      CHECK(texts[base + 7] == "behind");
    }
  }
  witness.run("drop type mood");
}

TEST_CASE("a pipeline heals statements that DDL outdated or a user dropped", "[pipeline]") {
  test::Witness witness;
  witness.run("drop table if exists healed; create table healed (a int)");
  Pool pool(pool_options());
  Pipeline pipeline(pool.acquire());
  pipeline.submit("select * from healed");
  REQUIRE(sqlstate_of(drive(pipeline).at(0)).empty());
  witness.run("alter table healed add b int");
  pipeline.submit("select * from healed");
  auto answers = drive(pipeline);
  REQUIRE(sqlstate_of(answers.at(0)).empty());
  CHECK(answers.at(0).result.columns.size() == 2);
  pipeline.submit("deallocate all");
  pipeline.submit("select * from healed");
  pipeline.submit("select 1");
  std::map<std::uint64_t, std::string> states;
  for (const PipelineAnswer& answer : drive(pipeline)) {
    states[answer.number] = sqlstate_of(answer);
  }
  CHECK(states == std::map<std::uint64_t, std::string>{{3, ""}, {4, ""}, {5, ""}});
  witness.run("drop table healed");
}

TEST_CASE("a small statement cache in a pipeline drops what falls out", "[pipeline]") {
  auto options = pool_options();
  options.statement_cache = 2;
  Pool pool(options);
  Pipeline pipeline(pool.acquire());
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 200; ++i) {
      pipeline.submit("select " + std::to_string(i));
    }
    for (const PipelineAnswer& answer : drive(pipeline)) {
      REQUIRE(!answer.error);
    }
  }
  pipeline.submit("select count(*) from pg_prepared_statements");
  CHECK(*drive(pipeline).at(0).result.get<int>(0, 0) < 100);
}

TEST_CASE("a lost connection is the error of every statement of a pipeline", "[pipeline]") {
  test::Witness witness;
  Pool pool(pool_options());
  {
    Pipeline pipeline(pool.acquire());
    pipeline.submit("select pg_backend_pid()");
    const auto pid = *drive(pipeline).at(0).result.get<std::string>(0, 0);
    pipeline.submit("select pg_sleep(60)");
    pipeline.submit("select 2");
    pipeline.advance();
    witness.run("select pg_terminate_backend(" + pid + ")");
    const auto answers = drive(pipeline);
    REQUIRE(answers.size() == 2);
    for (const PipelineAnswer& answer : answers) {
      CHECK_THROWS_AS(std::rethrow_exception(answer.error), query::ConnectionError);
    }
    CHECK(!pipeline.usable());
    CHECK_THROWS_AS(pipeline.submit("select 1"), query::ConnectionError);
  }
  CHECK(pool.execute("select 1", test::within()).get<int>(0, 0) == 1);
}

TEST_CASE("an idle pipeline notices that its connection was lost", "[pipeline]") {
  test::Witness witness;
  Pool pool(pool_options());
  Pipeline pipeline(pool.acquire());
  pipeline.submit("select pg_backend_pid()");
  const auto pid = *drive(pipeline).at(0).result.get<std::string>(0, 0);
  witness.run("select pg_terminate_backend(" + pid + ")");
  pollfd entry{.fd = pipeline.socket(), .events = POLLIN, .revents = 0};
  for (int i = 0; i < 100 && pipeline.usable(); ++i) {
    ::poll(&entry, 1, 100);
    pipeline.advance();
  }
  CHECK(!pipeline.usable());
}

TEST_CASE("a pipeline destroyed in the midst leaves a pool that works", "[pipeline]") {
  Pool pool(pool_options());
  {
    Pipeline pipeline(pool.acquire());
    pipeline.submit("select pg_sleep(30)");
    pipeline.advance();
  }
  CHECK(pool.execute("select 1", test::within()).get<int>(0, 0) == 1);
  {
    Pipeline pipeline(pool.acquire());
    pipeline.submit("set application_name = 'leak'");
    pipeline.submit("begin");
    pipeline.submit("create temporary table leak (i int)");
    (void)drive(pipeline);
  }
  CHECK(pool.execute("select to_regclass('leak') is null and current_setting('application_name') "
                     "<> 'leak'",
                     test::within())
            .get<bool>(0, 0) == true);
}

TEST_CASE("what a pipeline cannot send is refused at once", "[pipeline]") {
  Pool pool(pool_options());
  Pipeline pipeline(pool.acquire());
  CHECK_THROWS_AS(pipeline.submit(std::string("select 1\0", 9)), std::invalid_argument);
  CHECK_THROWS_AS(pipeline.submit("copy t to stdout"), std::invalid_argument);
  pipeline.submit("select 1");
  CHECK(drive(pipeline).size() == 1);
}

TEST_CASE("a pipeline's running statement can be cancelled", "[pipeline]") {
  Pool pool(pool_options());
  Pipeline pipeline(pool.acquire());
  const query::Canceller canceller = pipeline.canceller();
  pipeline.submit("select pg_sleep(60)");
  pipeline.submit("select 2");
  pipeline.advance();
  test::Witness witness;
  while (
      witness.value("select count(*) from pg_stat_activity where query like '%pg_sleep(60)%' and "
                    "wait_event = 'PgSleep'") == "0") {
  }
  CHECK(canceller.cancel());
  const auto answers = drive(pipeline);
  CHECK(sqlstate_of(answers.at(0)) == "57014");
  CHECK(sqlstate_of(answers.at(1)).empty());
}
