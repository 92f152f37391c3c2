#include "proof.hpp"

#include <libpq-fe.h>

#include <chrono>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>

#include "catch.hpp"

using query::detail::CatalogNames;
using query::detail::Proof;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr const char* kRead = "select lower(a) from t";

/// What the catalog says: a kind and a name a row.
auto catalog(std::initializer_list<std::pair<const char*, const char*>> rows) -> CatalogNames {
  const std::unique_ptr<PGresult, decltype(&PQclear)> answer(
      PQmakeEmptyPGresult(nullptr, PGRES_TUPLES_OK), PQclear);
  std::string kind = "kind";
  std::string name = "name";
  PGresAttDesc columns[] = {{.name = kind.data(),
                             .tableid = 0,
                             .columnid = 0,
                             .format = 0,
                             .typid = 18,
                             .typlen = 1,
                             .atttypmod = -1},
                            {.name = name.data(),
                             .tableid = 0,
                             .columnid = 0,
                             .format = 0,
                             .typid = 19,
                             .typlen = 64,
                             .atttypmod = -1}};
  REQUIRE(PQsetResultAttrs(answer.get(), 2, columns) != 0);
  int row = 0;
  for (const auto& [the_kind, the_name] : rows) {
    for (auto [column, value] : {std::pair(0, std::string(the_kind)), {1, the_name}}) {
      REQUIRE(PQsetvalue(answer.get(), row, column, value.data(), static_cast<int>(value.size())) !=
              0);
    }
    ++row;
  }
  return CatalogNames(answer.get());
}

auto harmless() -> CatalogNames {
  return catalog({{"f", "lower"}, {"s", "random"}, {"s", "view"}});
}

/// Asks often enough for a reading to be worth it.
void use(Proof& proof, Proof::Clock::time_point now) {
  for (int i = 0; i < 50; ++i) {
    (void)proof.leaves_no_trace(kRead, now);
  }
}

void read(Proof& proof, Proof::Clock::time_point now, CatalogNames names) {
  use(proof, now);
  const auto number = proof.begin_reading(now);
  REQUIRE(number.has_value());
  proof.adopt(*number, std::move(names));
}

}  // namespace

TEST_CASE("names decide", "[proof]") {
  const auto now = Proof::Clock::now();
  Proof proof;
  CHECK(!proof.leaves_no_trace(kRead, now));
  read(proof, now, harmless());
  for (const char* sql :
       {kRead, "select 1", "select \"lower\"(1)", "select a from (values (1)) v(b)"}) {
    CAPTURE(sql);
    CHECK(proof.leaves_no_trace(sql, now));
    CHECK(proof.leaves_no_trace(sql, now));  // as remembered
  }
  for (const char* sql :
       {"select upper(a) from t", "select random() from t", "select t.random from t",
        "select * from view", "select * from s.\"view\"", "set a = 1"}) {
    CAPTURE(sql);
    CHECK(!proof.leaves_no_trace(sql, now));
    CHECK(!proof.leaves_no_trace(sql, now));
  }
  const std::string longest = "select '" + std::string((16 << 10) - 9, 'a') + "'";
  CHECK(proof.leaves_no_trace(longest, now));
  CHECK(!proof.leaves_no_trace(longest + " ", now));
}

TEST_CASE("what tells of the session is not shared, whatever the catalog says", "[proof]") {
  const auto now = Proof::Clock::now();
  Proof proof;
  read(proof, now, catalog({{"f", "pg_backend_pid"}, {"f", "table_to_xml"}, {"f", "lower"}}));
  CHECK(!proof.leaves_no_trace("select pg_backend_pid()", now));
  CHECK(!proof.leaves_no_trace("select table_to_xml('v', true, true, '')", now));
  CHECK(proof.leaves_no_trace(kRead, now));
}

TEST_CASE("in a closed database nothing is proven", "[proof]") {
  const auto now = Proof::Clock::now();
  Proof proof;
  read(proof, now, catalog({{"f", "lower"}, {"x", ""}}));
  CHECK(!proof.leaves_no_trace("select 1", now));
}

TEST_CASE("a reading is new for 10 s and good for 20 s", "[proof]") {
  const auto start = Proof::Clock::now();
  Proof proof;
  read(proof, start, harmless());
  use(proof, start);
  CHECK(!proof.begin_reading(start + seconds(9)));
  CHECK(proof.leaves_no_trace(kRead, start + seconds(10)));
  const auto old = start + seconds(11);
  CHECK(!proof.leaves_no_trace(kRead, old));  // the one that is to fetch a new reading
  CHECK(proof.leaves_no_trace(kRead, old));
  CHECK(proof.leaves_no_trace(kRead, start + seconds(20)));
  CHECK(!proof.leaves_no_trace(kRead, start + seconds(20) + milliseconds(1)));

  const auto number = proof.begin_reading(old);
  REQUIRE(number.has_value());
  CHECK(!proof.begin_reading(old + seconds(5)));  // one at a time
  CHECK(proof.leaves_no_trace(kRead, old + seconds(5)));
  proof.adopt(*number, catalog({{"s", "lower"}}));
  CHECK(!proof.leaves_no_trace(kRead, old));  // what was remembered is of the old reading
  CHECK(proof.leaves_no_trace("select 1", old + seconds(10)));
}

TEST_CASE("a reading is as old as its beginning", "[proof]") {
  const auto start = Proof::Clock::now();
  Proof proof;
  use(proof, start);
  const auto number = proof.begin_reading(start);
  REQUIRE(number.has_value());
  proof.adopt(*number, harmless());
  CHECK(!proof.leaves_no_trace(kRead, start + seconds(11)));
}

TEST_CASE("who asks seldom is spared readings", "[proof]") {
  const auto now = Proof::Clock::now();
  Proof proof;
  CHECK(!proof.begin_reading(now));
  for (int i = 0; i < 49; ++i) {
    CHECK(!proof.leaves_no_trace(kRead, now));
  }
  CHECK(!proof.begin_reading(now));
  CHECK(!proof.leaves_no_trace(kRead, now));
  CHECK(proof.begin_reading(now));
}

TEST_CASE("a reading that failed is tried again after a second", "[proof]") {
  const auto start = Proof::Clock::now();
  Proof proof;
  use(proof, start);
  REQUIRE(proof.begin_reading(start));
  proof.give_up();
  use(proof, start);
  CHECK(!proof.begin_reading(start + milliseconds(900)));
  CHECK(proof.begin_reading(start + milliseconds(1100)));
}

TEST_CASE("nothing is proven while something may change the catalog, nor by an older reading",
          "[proof]") {
  const auto start = Proof::Clock::now();
  Proof proof;
  read(proof, start, harmless());
  REQUIRE(proof.leaves_no_trace(kRead, start));
  const auto before = proof.changes();
  CHECK(proof.unchanged_since(before));

  const auto later = start + seconds(2);
  proof.begin_change();
  CHECK(!proof.leaves_no_trace(kRead, later));
  CHECK(!proof.unchanged_since(before));
  CHECK(!proof.unchanged_since(proof.changes()));
  use(proof, later);
  CHECK(!proof.begin_reading(later));  // it would hold the old state or the new

  proof.begin_change();  // another
  proof.end_change();
  CHECK(!proof.leaves_no_trace(kRead, later));
  proof.end_change();
  CHECK(!proof.leaves_no_trace(kRead, later));
  CHECK(proof.unchanged_since(proof.changes()));
  CHECK(!proof.unchanged_since(before));
  read(proof, later, harmless());
  CHECK(proof.leaves_no_trace(kRead, later));
}

TEST_CASE("a reading that began before a change is not good after it", "[proof]") {
  const auto now = Proof::Clock::now();
  Proof proof;
  use(proof, now);
  const auto number = proof.begin_reading(now);
  REQUIRE(number.has_value());
  proof.begin_change();
  proof.end_change();
  proof.adopt(*number, harmless());
  CHECK(!proof.leaves_no_trace(kRead, now));
}

TEST_CASE("verdicts are bounded, and right however many there are", "[proof]") {
  const auto now = Proof::Clock::now();
  Proof proof;
  read(proof, now, harmless());
  for (int i = 0; i < 10'000; ++i) {
    const std::string number = std::to_string(i);
    REQUIRE(proof.leaves_no_trace("select " + number, now));
    REQUIRE(!proof.leaves_no_trace("select random(), " + number, now));
    REQUIRE(proof.leaves_no_trace(kRead, now));
  }
}
