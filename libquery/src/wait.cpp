#include "wait.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>

namespace query::detail {

void check(const Patience& patience) {
  if (patience.interrupted != nullptr && (*patience.interrupted)()) {
    throw OutOfPatience{OutOfPatience::Cause::kInterrupted};
  }
  if (patience.deadline != never && std::chrono::steady_clock::now() >= patience.deadline) {
    throw OutOfPatience{OutOfPatience::Cause::kDeadline};
  }
}

void wait(int socket, short events, const Patience& patience) {
  using std::chrono::milliseconds;
  constexpr milliseconds kLongest{std::chrono::minutes(10)};  // poll counts in an int
  for (;;) {
    milliseconds slice = patience.interrupted != nullptr ? kInterruptInterval : kLongest;
    if (patience.deadline != never) {
      const auto left =
          std::chrono::ceil<milliseconds>(patience.deadline - std::chrono::steady_clock::now());
      slice = std::clamp(left, milliseconds(0), slice);
    }
    pollfd entry{.fd = socket, .events = events, .revents = 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(slice.count()));
    if (ready > 0) {
      return;
    }
    if (ready < 0 && errno != EINTR) {
      throw std::system_error(errno, std::generic_category(), "poll");
    }
    check(patience);
  }
}

}  // namespace query::detail
