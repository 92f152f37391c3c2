#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <query/deadline.hpp>

namespace query::server {

/// Whom a program runs as.
struct Account {
  uid_t uid = 0;
  gid_t gid = 0;
};

struct Command {
  std::vector<std::string> arguments;  ///< the first is the program's path
  int output = -1;                     ///< where its output and errors go
  std::optional<Account> account;      ///< needs root
  int death_signal = 0;                ///< sent to it should this process die
};

/// Starts a program, in a session of its own (a Ctrl-C at the terminal is not meant for it) and
/// with a clean environment. Throws std::system_error where that fails. Only while this process
/// has one thread.
[[nodiscard]] auto spawn(const Command& command) -> pid_t;

/// Sleeps; false when the wait should be given up.
using Pause = std::function<bool(std::chrono::milliseconds)>;

/// Waits for a child to end and takes its status (as waitpid gives it); nothing when it has not
/// by the deadline or `pause` gave up.
[[nodiscard]] auto wait_exit(pid_t pid, Deadline deadline, const Pause& pause)
    -> std::optional<int>;

/// Kills a child with all that it started, and takes its status.
void end_at_once(pid_t pid);

/// Runs a program to its end; its output, or nothing where it failed.
[[nodiscard]] auto run_for_output(const std::vector<std::string>& arguments, const Pause& pause)
    -> std::optional<std::string>;

}  // namespace query::server
