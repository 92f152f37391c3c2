#include "statement_cache.hpp"

#include <algorithm>
#include <list>
#include <random>
#include <set>
#include <string>

#include "catch.hpp"

using query::detail::PreparedStatement;
using query::detail::StatementCache;

TEST_CASE("a capacity of 0 turns the cache off", "[statement_cache]") {
  CHECK_FALSE(StatementCache(0).enabled());
  CHECK(StatementCache(1).enabled());
}

TEST_CASE("what was inserted is found by its text, nothing else is", "[statement_cache]") {
  StatementCache cache(2);
  CHECK(cache.find("select 1") == nullptr);
  const std::string name = cache.insert("select 1").name;
  CHECK_FALSE(name.empty());
  REQUIRE(cache.find("select 1") != nullptr);
  CHECK(cache.find("select 1")->name == name);
  CHECK(cache.find("select  1") == nullptr);
  CHECK(cache.find("") == nullptr);
  CHECK(cache.size() == 1);
}

TEST_CASE("a name is never used twice, not even after its statement has gone",
          "[statement_cache]") {
  StatementCache cache(3);
  std::set<std::string> names;
  for (int i = 0; i < 100; ++i) {
    const std::string sql = "select " + std::to_string(i % 7);
    if (cache.find(sql) == nullptr) {
      CHECK(names.insert(cache.insert(sql).name).second);
    }
    if (i % 10 == 9) {
      cache.erase(sql, StatementCache::OnServer::kMaybe);
    }
    if (i % 33 == 32) {
      cache.clear();
    }
  }
}

TEST_CASE("the least recently used leaves, and a look-up is a use", "[statement_cache]") {
  StatementCache cache(2);
  cache.insert("a");
  const std::string b = cache.insert("b").name;
  REQUIRE(cache.find("a") != nullptr);
  cache.insert("c");
  CHECK(cache.size() == 2);
  CHECK(cache.find("b") == nullptr);
  CHECK(cache.find("a") != nullptr);
  CHECK(cache.find("c") != nullptr);
  CHECK(cache.evicted() == std::vector<std::string>{b});
}

TEST_CASE("what the server may hold is named when it is forgotten", "[statement_cache]") {
  StatementCache cache(4);
  cache.insert("refused");
  cache.erase("refused", StatementCache::OnServer::kNo);
  CHECK(cache.find("refused") == nullptr);
  CHECK(cache.evicted().empty());
  const std::string doubtful = cache.insert("doubtful").name;
  cache.erase("doubtful", StatementCache::OnServer::kMaybe);
  cache.erase("never there", StatementCache::OnServer::kMaybe);
  CHECK(cache.evicted() == std::vector<std::string>{doubtful});
  cache.evicted().clear();
  const std::set<std::string> names{cache.insert("a").name, cache.insert("b").name};
  cache.clear();
  CHECK(cache.size() == 0);
  CHECK(std::set<std::string>(cache.evicted().begin(), cache.evicted().end()) == names);
}

TEST_CASE("a statement stays where it is while others come and go", "[statement_cache]") {
  StatementCache cache(3);
  PreparedStatement& kept = cache.insert("kept");
  kept.targets.emplace();
  for (int i = 0; i < 50; ++i) {
    cache.insert("other " + std::to_string(i));
    REQUIRE(cache.find("kept") == &kept);
  }
  CHECK(kept.targets.has_value());
}

TEST_CASE("it behaves as a list that moves what is used to its front", "[statement_cache]") {
  constexpr std::size_t kCapacity = 8;
  StatementCache cache(kCapacity);
  std::list<std::string> model;  // most recently used first
  std::size_t evictions = 0;
  std::mt19937 random(3);
  for (int i = 0; i < 20'000; ++i) {
    const std::string sql = "statement " + std::to_string(random() % 14);
    const auto known = std::find(model.begin(), model.end(), sql);
    const PreparedStatement* found = cache.find(sql);
    REQUIRE((found != nullptr) == (known != model.end()));
    if (known != model.end()) {
      model.erase(known);
    } else {
      cache.insert(sql);
      if (model.size() == kCapacity) {
        model.pop_back();
        ++evictions;
      }
    }
    model.push_front(sql);
    REQUIRE(cache.size() == model.size());
    REQUIRE(cache.evicted().size() == evictions);
  }
  CHECK(evictions > 1000);
}
