#pragma once

#include <chrono>

namespace query {

/// The moment by which an operation must have ended. Every call that may wait takes one.
using Deadline = std::chrono::steady_clock::time_point;

/// No deadline: wait as long as it takes.
inline constexpr Deadline never = Deadline::max();

/// The moment that lies `duration` in the future; `never` where that is beyond the clock's range.
[[nodiscard]] inline auto after(std::chrono::milliseconds duration) noexcept -> Deadline {
  const auto now = std::chrono::steady_clock::now();
  const auto room = std::chrono::duration_cast<std::chrono::milliseconds>(never - now);
  return duration >= room ? never : now + duration;
}

}  // namespace query
