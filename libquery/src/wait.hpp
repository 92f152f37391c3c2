#pragma once

#include <functional>

#include <query/deadline.hpp>
#include <query/options.hpp>

namespace query::detail {

/// How long a wait may last and what may end it before.
struct Patience {
  Deadline deadline = never;
  const std::function<bool()>* interrupted = nullptr;  ///< not owned

  Patience() = default;
  explicit Patience(Deadline until) : deadline(until) {}
  explicit Patience(const QueryOptions& options)
      : deadline(options.deadline),
        interrupted(options.interrupted ? &options.interrupted : nullptr) {}

  [[nodiscard]] auto until(Deadline other) const -> Patience {
    Patience shorter = *this;
    shorter.deadline = deadline < other ? deadline : other;
    return shorter;
  }
};

/// Thrown inside the library when a wait ends without what it waited for. Whoever started the
/// statement turns it into Timeout or Interrupted, after cancelling.
struct OutOfPatience {
  enum class Cause { kDeadline, kInterrupted } cause;
};

/// How often `interrupted` is asked.
inline constexpr std::chrono::milliseconds kInterruptInterval{100};

/// Throws OutOfPatience if the deadline has passed or the interruption asks for it.
void check(const Patience& patience);

/// Waits until `events` (POLLIN, POLLOUT) or an error shows on the socket. The only place of the
/// library that blocks on one. Throws OutOfPatience.
void wait(int socket, short events, const Patience& patience);

}  // namespace query::detail
