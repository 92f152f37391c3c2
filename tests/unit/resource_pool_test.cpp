#include "resource_pool.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "catch.hpp"

using namespace std::chrono_literals;
using query::after;
using query::Busy;
using query::PoolOptions;
using query::detail::OutOfPatience;
using query::detail::Patience;
using Clock = std::chrono::steady_clock;

namespace {

/// Something costly to open. Counts how many live, and notices two users at once.
struct Fake {
  Fake() : number(++made) {
    const int now = ++alive;
    int seen = most_alive.load();
    while (now > seen && !most_alive.compare_exchange_weak(seen, now)) {
    }
  }
  ~Fake() { --alive; }
  Fake(const Fake&) = delete;
  auto operator=(const Fake&) -> Fake& = delete;

  int number;
  std::atomic<int> users{0};

  static void reset_counters() {
    made = 0;
    alive = 0;
    most_alive = 0;
  }
  static inline std::atomic<int> made{0};
  static inline std::atomic<int> alive{0};
  static inline std::atomic<int> most_alive{0};
};

using FakePool = query::detail::ResourcePool<Fake>;

auto options(std::size_t size, std::size_t waiting = 1024) -> PoolOptions {
  PoolOptions options;
  options.max_size = size;
  options.max_waiting = waiting;
  options.max_wait = 20s;
  return options;
}

auto forever() -> Patience { return Patience(after(60s)); }

/// What the pool's user does: opens the resource where the place is empty.
auto take(FakePool& pool, const Patience& patience = forever()) -> FakePool::Place {
  FakePool::Place place = pool.acquire(patience);
  if (!place.resource) {
    place.resource = std::make_unique<Fake>();
    pool.opened(place);
  }
  return place;
}

/// Waits, with an end, until a condition on the pool's statistics holds.
void await(const FakePool& pool, const std::function<bool(const query::PoolStats&)>& condition) {
  const auto deadline = after(20s);
  while (!condition(pool.stats())) {
    REQUIRE(Clock::now() < deadline);
    std::this_thread::sleep_for(1ms);
  }
}

void await_waiting(const FakePool& pool, std::size_t count) {
  await(pool, [count](const query::PoolStats& stats) { return stats.waiting == count; });
}

}  // namespace

TEST_CASE("nothing is opened before it is asked for", "[resource_pool]") {
  Fake::reset_counters();
  FakePool pool(options(4));
  CHECK(Fake::made == 0);
  CHECK(pool.stats().size == 0);
  auto place = pool.acquire(forever());
  CHECK_FALSE(place.resource);
  CHECK(pool.stats().size == 1);
  CHECK(pool.stats().connected == 0);
  pool.open_failed(std::move(place));
  CHECK(pool.stats().size == 0);
  CHECK(pool.stats().connect_failed == 1);
}

TEST_CASE("the one used last is handed out first", "[resource_pool]") {
  Fake::reset_counters();
  FakePool pool(options(3));
  auto first = take(pool);
  auto second = take(pool);
  auto third = take(pool);
  const int second_number = second.resource->number;
  const int third_number = third.resource->number;
  pool.release(std::move(first));
  pool.release(std::move(third));
  pool.release(std::move(second));
  CHECK(pool.stats().idle == 3);
  auto again = take(pool);
  CHECK(again.resource->number == second_number);
  auto next = take(pool);
  CHECK(next.resource->number == third_number);
  pool.release(std::move(next));
  pool.release(std::move(again));
  CHECK(Fake::made == 3);
}

TEST_CASE("one more than may wait is refused at once", "[resource_pool]") {
  FakePool pool(options(1, 2));
  auto held = take(pool);
  std::vector<std::thread> waiters;
  for (int i = 0; i < 2; ++i) {
    waiters.emplace_back([&pool] { pool.release(take(pool)); });
  }
  await_waiting(pool, 2);
  const auto begin = Clock::now();
  CHECK_THROWS_AS(pool.acquire(forever()), Busy);
  CHECK(Clock::now() - begin < 1s);
  CHECK(pool.stats().refused_busy == 1);
  CHECK(pool.stats().waiting == 2);
  pool.release(std::move(held));
  for (auto& waiter : waiters) {
    waiter.join();
  }
  CHECK(pool.stats().waiting == 0);
}

TEST_CASE("with a queue of 0 nobody waits", "[resource_pool]") {
  FakePool pool(options(1, 0));
  auto held = take(pool);
  CHECK_THROWS_AS(pool.acquire(forever()), Busy);
  pool.release(std::move(held));
  CHECK_NOTHROW(pool.release(take(pool)));
}

TEST_CASE("waiting ends with Busy after max_wait and leaves the queue", "[resource_pool]") {
  PoolOptions short_wait = options(1);
  short_wait.max_wait = 60ms;
  FakePool pool(short_wait);
  auto held = take(pool);
  const auto begin = Clock::now();
  CHECK_THROWS_AS(pool.acquire(forever()), Busy);
  CHECK(Clock::now() - begin >= 60ms);
  CHECK(Clock::now() - begin < 5s);
  CHECK(pool.stats().waiting == 0);
  CHECK(pool.stats().refused_busy == 1);
  pool.release(std::move(held));
  pool.release(take(pool));
  CHECK(pool.stats().idle == 1);
}

TEST_CASE("waiting ends at the caller's deadline or interruption", "[resource_pool]") {
  FakePool pool(options(1));
  auto held = take(pool);
  try {
    (void)pool.acquire(Patience(after(50ms)));
    FAIL("a place came from nowhere");
  } catch (const OutOfPatience& end) {
    CHECK(end.cause == OutOfPatience::Cause::kDeadline);
  }
  query::QueryOptions interruptible;
  int asked = 0;
  interruptible.interrupted = [&asked] { return ++asked > 2; };
  try {
    (void)pool.acquire(Patience(interruptible));
    FAIL("a place came from nowhere");
  } catch (const OutOfPatience& end) {
    CHECK(end.cause == OutOfPatience::Cause::kInterrupted);
  }
  CHECK(pool.stats().waiting == 0);
  pool.release(std::move(held));
}

TEST_CASE("waiters are served in the order they came", "[resource_pool]") {
  FakePool pool(options(1));
  auto held = take(pool);
  constexpr int kWaiters = 10;
  std::vector<int> served;
  std::mutex mutex;
  std::vector<std::thread> threads;
  for (int i = 0; i < kWaiters; ++i) {
    threads.emplace_back([&, i] {
      auto place = take(pool);
      {
        const std::lock_guard lock(mutex);
        served.push_back(i);
      }
      pool.release(std::move(place));
    });
    await_waiting(pool, static_cast<std::size_t>(i) + 1);  // one after the other
  }
  pool.release(std::move(held));
  for (auto& thread : threads) {
    thread.join();
  }
  std::vector<int> expected(kWaiters);
  for (int i = 0; i < kWaiters; ++i) {
    expected[static_cast<std::size_t>(i)] = i;
  }
  CHECK(served == expected);
  CHECK(pool.stats().waited == kWaiters);
}

TEST_CASE("a returned place goes to the waiter, not to whoever asks next", "[resource_pool]") {
  for (int round = 0; round < 200; ++round) {
    FakePool pool(options(1));
    auto held = take(pool);
    std::atomic<bool> served{false};
    std::thread waiter([&] {
      auto place = take(pool);
      served = true;
      pool.release(std::move(place));
    });
    await_waiting(pool, 1);
    pool.release(std::move(held));
    auto mine = take(pool);  // came later, so it must be served later
    CHECK(served);
    pool.release(std::move(mine));
    waiter.join();
  }
}

TEST_CASE("a failed opening passes its slot on to the first waiter", "[resource_pool]") {
  Fake::reset_counters();
  FakePool pool(options(1));
  auto failing = pool.acquire(forever());
  REQUIRE_FALSE(failing.resource);
  bool empty = false;
  std::thread waiter([&] {
    auto place = pool.acquire(forever());
    empty = !place.resource;  // it is the waiter's turn to try
    place.resource = std::make_unique<Fake>();
    pool.opened(place);
    pool.release(std::move(place));
  });
  await_waiting(pool, 1);
  pool.open_failed(std::move(failing));
  waiter.join();
  CHECK(empty);
  CHECK(pool.stats().connect_failed == 1);
  CHECK(pool.stats().idle == 1);
  CHECK(pool.stats().size == 1);
}

TEST_CASE("a broken resource's slot is passed on too", "[resource_pool]") {
  FakePool pool(options(1));
  auto broken = take(pool);
  std::thread waiter([&pool] { pool.release(take(pool)); });
  await_waiting(pool, 1);
  broken.resource.reset();
  pool.release(std::move(broken));
  waiter.join();
  CHECK(pool.stats().discarded == 1);
  CHECK(pool.stats().idle == 1);
}

TEST_CASE("what idles for too long is closed", "[resource_pool]") {
  Fake::reset_counters();
  PoolOptions idle_never = options(2);
  idle_never.max_idle = 0s;
  FakePool pool(idle_never);
  pool.release(take(pool));
  auto place = take(pool);
  CHECK(place.resource->number == 2);  // the first one has expired
  CHECK(Fake::alive == 1);
  CHECK(pool.stats().expired >= 1);
  pool.release(std::move(place));
  CHECK(pool.stats().size <= 1);
}

TEST_CASE("the hot stay and the bottom of the stack ages out", "[resource_pool]") {
  Fake::reset_counters();
  PoolOptions one_second = options(3);
  one_second.max_idle = 1s;
  FakePool pool(one_second);
  auto a = take(pool);
  auto b = take(pool);
  auto c = take(pool);
  const int hot = c.resource->number;
  pool.release(std::move(a));
  pool.release(std::move(b));
  pool.release(std::move(c));
  const auto end = Clock::now() + 1500ms;
  while (Clock::now() < end) {
    auto place = take(pool);
    REQUIRE(place.resource->number == hot);
    std::this_thread::sleep_for(50ms);
    pool.release(std::move(place));
  }
  CHECK(pool.stats().size == 1);
  CHECK(pool.stats().expired == 2);
  CHECK(Fake::alive == 1);
}

TEST_CASE("a life has an end, give or take a tenth", "[resource_pool]") {
  PoolOptions long_life = options(1);
  long_life.max_lifetime = 1000s;
  FakePool pool(long_life);
  auto place = take(pool);
  const auto now = Clock::now();
  CHECK(place.expires > now + 890s);
  CHECK(place.expires < now + 1110s);
  std::vector<Clock::time_point> ends;
  for (int i = 0; i < 20; ++i) {
    pool.opened(place);
    ends.push_back(place.expires);
  }
  const auto [first, last] = std::minmax_element(ends.begin(), ends.end());
  CHECK(*last - *first > 10s);  // they do not end together
  pool.release(std::move(place));

  PoolOptions no_life = options(1);
  no_life.max_lifetime = 0s;
  FakePool brief(no_life);
  Fake::reset_counters();
  brief.release(take(brief));
  CHECK(brief.stats().idle == 0);
  CHECK(brief.stats().size == 0);
  CHECK(brief.stats().expired == 1);
  CHECK(Fake::alive == 0);
}

TEST_CASE("an expired resource's slot goes to a waiter, the resource does not", "[resource_pool]") {
  Fake::reset_counters();
  PoolOptions no_life = options(1);
  no_life.max_lifetime = 0s;
  FakePool pool(no_life);
  auto held = take(pool);
  int got = 0;
  std::thread waiter([&] {
    auto place = take(pool);
    got = place.resource->number;
    pool.release(std::move(place));
  });
  await_waiting(pool, 1);
  pool.release(std::move(held));
  waiter.join();
  CHECK(got == 2);
  CHECK(Fake::alive == 0);
}

TEST_CASE("a new generation ends the idle at once and the others when they return",
          "[resource_pool]") {
  Fake::reset_counters();
  FakePool pool(options(3));
  auto away = take(pool);
  pool.release(take(pool));
  CHECK(Fake::alive == 2);
  pool.start_new_generation();
  CHECK(Fake::alive == 1);
  CHECK(pool.stats().idle == 0);
  pool.release(std::move(away));
  CHECK(Fake::alive == 0);
  auto fresh = take(pool);
  CHECK(fresh.resource->number == 3);
  pool.release(std::move(fresh));
  CHECK(pool.stats().idle == 1);  // of the new generation: it stays
}

TEST_CASE("closing idle resources does not close the pool", "[resource_pool]") {
  Fake::reset_counters();
  FakePool pool(options(2));
  pool.release(take(pool));
  pool.close_idle();
  CHECK(Fake::alive == 0);
  CHECK(pool.stats().size == 0);
  pool.release(take(pool));
  CHECK(Fake::alive == 1);
}

TEST_CASE("a closed pool refuses, tells its waiters, and closes what returns", "[resource_pool]") {
  Fake::reset_counters();
  FakePool pool(options(1));
  auto held = take(pool);
  std::atomic<int> refused{0};
  std::vector<std::thread> waiters;
  for (int i = 0; i < 4; ++i) {
    waiters.emplace_back([&] {
      try {
        auto place = take(pool);
        pool.release(std::move(place));
      } catch (const Busy&) {
        ++refused;
      }
    });
  }
  await_waiting(pool, 4);
  pool.close();
  for (auto& waiter : waiters) {
    waiter.join();
  }
  CHECK(refused == 4);
  CHECK_THROWS_AS(pool.acquire(forever()), Busy);
  pool.release(std::move(held));
  CHECK(Fake::alive == 0);
  CHECK(pool.stats().size == 0);
  CHECK(pool.stats().waiting == 0);
  CHECK_NOTHROW(pool.close());
}

TEST_CASE("who waits when the pool closes is refused even if a place returns at that moment",
          "[resource_pool]") {
  for (int round = 0; round < 300; ++round) {
    FakePool pool(options(1));
    auto held = take(pool);
    std::atomic<bool> refused{false};
    std::thread waiter([&] {
      try {
        auto place = pool.acquire(forever());
        pool.release(std::move(place));
      } catch (const Busy&) {
        refused = true;
      }
    });
    await_waiting(pool, 1);
    pool.close();
    pool.release(std::move(held));
    waiter.join();
    REQUIRE(refused);
  }
}

TEST_CASE("twelve threads never exceed the limit and never share a resource", "[resource_pool]") {
  Fake::reset_counters();
  constexpr std::size_t kLimit = 3;
  constexpr int kThreads = 12;
  constexpr int kRounds = 3000;
  FakePool pool(options(kLimit));
  std::atomic<int> holding{0};
  std::atomic<int> shared{0};
  std::atomic<int> too_many{0};
  std::atomic<int> done{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::minstd_rand random(static_cast<unsigned>(t) + 1);
      for (int i = 0; i < kRounds; ++i) {
        auto place = pool.acquire(forever());
        too_many += ++holding > static_cast<int>(kLimit) ? 1 : 0;
        const auto dice = random() % 20;
        if (!place.resource) {
          if (dice == 0) {  // could not be opened
            --holding;
            pool.open_failed(std::move(place));
            continue;
          }
          place.resource = std::make_unique<Fake>();
          pool.opened(place);
        }
        shared += ++place.resource->users > 1 ? 1 : 0;
        if (dice == 1) {
          std::this_thread::yield();
        }
        --place.resource->users;
        if (dice == 2) {
          place.resource.reset();  // broke
        }
        if (dice == 3 && i % 50 == 0) {
          pool.start_new_generation();
        }
        --holding;
        pool.release(std::move(place));
        ++done;
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  CHECK(too_many == 0);
  CHECK(shared == 0);
  CHECK(Fake::most_alive <= static_cast<int>(kLimit) + kThreads);  // the dead die outside the lock
  CHECK(done > kThreads * kRounds / 2);
  const auto stats = pool.stats();
  CHECK(stats.size == stats.idle);
  CHECK(stats.size <= kLimit);
  CHECK(stats.waiting == 0);
  CHECK(Fake::alive == static_cast<int>(stats.size));
  CHECK(stats.acquired == static_cast<std::uint64_t>(kThreads) * kRounds);
}

TEST_CASE("impatient waiters lose no place", "[resource_pool]") {
  Fake::reset_counters();
  constexpr std::size_t kLimit = 2;
  FakePool pool(options(kLimit));
  std::atomic<int> gave_up{0};
  std::atomic<int> served{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 10; ++t) {
    threads.emplace_back([&, t] {
      std::minstd_rand random(static_cast<unsigned>(t) + 100);
      for (int i = 0; i < 400; ++i) {
        try {
          auto place = take(pool, Patience(after(std::chrono::milliseconds(random() % 3))));
          ++served;
          if (random() % 4 == 0) {
            std::this_thread::sleep_for(1ms);
          }
          pool.release(std::move(place));
        } catch (const OutOfPatience&) {
          ++gave_up;
        }
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  CHECK(served + gave_up == 4000);
  CHECK(gave_up > 0);
  CHECK(pool.stats().size == pool.stats().idle);
  // Both places are still there for whoever asks.
  auto first = take(pool);
  auto second = take(pool);
  CHECK(pool.stats().size == kLimit);
  pool.release(std::move(first));
  pool.release(std::move(second));
}

TEST_CASE("resources die with their pool", "[resource_pool]") {
  Fake::reset_counters();
  {
    FakePool pool(options(2));
    auto a = take(pool);
    auto b = take(pool);
    pool.release(std::move(a));
    pool.release(std::move(b));
    CHECK(Fake::alive == 2);
  }
  CHECK(Fake::alive == 0);
}
