#pragma once

#include <chrono>
#include <csignal>
#include <optional>

namespace query::server {

/// The signals that end the server, and those of its children, taken one by one by the main
/// thread. Made before any other thread, so that all of them leave these signals alone; works for
/// process 1 of a container, which has no default actions.
class Signals {
 public:
  Signals();

  /// The next signal, or nothing when none came in time.
  [[nodiscard]] auto wait(std::chrono::milliseconds timeout) const -> std::optional<int>;

  [[nodiscard]] static auto ends(int signal) noexcept -> bool { return signal != SIGCHLD; }

 private:
  sigset_t set_;
};

}  // namespace query::server
