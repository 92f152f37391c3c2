#include <query/deadline.hpp>

#include <chrono>
#include <functional>
#include <limits>

#include <poll.h>
#include <unistd.h>

#include "catch.hpp"
#include "wait.hpp"

using namespace std::chrono_literals;
using query::after;
using query::never;
using query::detail::OutOfPatience;
using query::detail::Patience;
using Clock = std::chrono::steady_clock;

namespace {

/// A pipe that nobody writes to: waiting for it to be readable never ends by itself.
class SilentPipe {
 public:
  SilentPipe() { REQUIRE(::pipe(ends_) == 0); }
  ~SilentPipe() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  SilentPipe(const SilentPipe&) = delete;
  auto operator=(const SilentPipe&) -> SilentPipe& = delete;

  [[nodiscard]] auto reader() const -> int { return ends_[0]; }
  void speak() const { REQUIRE(::write(ends_[1], "x", 1) == 1); }

 private:
  int ends_[2] = {-1, -1};
};

auto cause_of_waiting(int socket, const Patience& patience) -> OutOfPatience::Cause {
  try {
    query::detail::wait(socket, POLLIN, patience);
  } catch (const OutOfPatience& end) {
    return end.cause;
  }
  FAIL("the wait ended as if the socket were ready");
  throw std::logic_error("unreachable");
}

}  // namespace

TEST_CASE("after() lies in the future by as much as it says", "[deadline]") {
  const auto before = Clock::now();
  const auto deadline = after(250ms);
  CHECK(deadline >= before + 250ms);
  CHECK(deadline <= Clock::now() + 250ms);
  const auto now = after(0ms);
  const auto past = after(-5ms);
  CHECK(now <= Clock::now());
  CHECK(past < Clock::now());
}

TEST_CASE("a duration beyond the clock's range is never, not a moment in the past", "[deadline]") {
  CHECK(after(std::chrono::milliseconds::max()) == never);
  CHECK(after(std::chrono::milliseconds(std::numeric_limits<std::int64_t>::max() / 2)) == never);
  CHECK(after(std::chrono::hours(24 * 365 * 100)) > Clock::now());
}

TEST_CASE("the earlier of two deadlines counts", "[deadline]") {
  const auto soon = after(1s);
  const auto late = after(1h);
  CHECK(Patience(late).until(soon).deadline == soon);
  CHECK(Patience(soon).until(late).deadline == soon);
  CHECK(Patience().until(late).deadline == late);
}

TEST_CASE("waiting ends at the deadline, not before and not much later", "[deadline]") {
  const SilentPipe pipe;
  const auto begin = Clock::now();
  CHECK(cause_of_waiting(pipe.reader(), Patience(after(80ms))) == OutOfPatience::Cause::kDeadline);
  CHECK(Clock::now() - begin >= 80ms);
  CHECK(Clock::now() - begin < 3s);
}

TEST_CASE("a ready socket is noticed even when the deadline has passed", "[deadline]") {
  const SilentPipe pipe;
  pipe.speak();
  CHECK_NOTHROW(query::detail::wait(pipe.reader(), POLLIN, Patience(after(-1ms))));
}

TEST_CASE("an interruption ends a wait that has no deadline", "[deadline]") {
  const SilentPipe pipe;
  int asked = 0;
  query::QueryOptions options;
  options.interrupted = [&asked] { return ++asked == 3; };
  const auto begin = Clock::now();
  CHECK(cause_of_waiting(pipe.reader(), Patience(options)) == OutOfPatience::Cause::kInterrupted);
  CHECK(asked == 3);
  CHECK(Clock::now() - begin < 5s);
}
