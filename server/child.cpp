#include "child.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <system_error>

#include "http_socket.hpp"

namespace query::server {
namespace {

/// What the child does between fork and exec: system calls only. Returns the errno of a failure.
auto become(const Command& command, pid_t parent, char* const* arguments, char* const* environment)
    -> int {
  ::setsid();
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  const int null = ::open("/dev/null", O_RDONLY);
  ::dup2(null, STDIN_FILENO);
  if (command.output >= 0) {
    ::dup2(command.output, STDOUT_FILENO);
    ::dup2(command.output, STDERR_FILENO);
  }
  if (command.account &&
      (::setgroups(1, &command.account->gid) != 0 || ::setgid(command.account->gid) != 0 ||
       ::setuid(command.account->uid) != 0)) {
    return errno;
  }
  if (::chdir("/") != 0) {
    return errno;
  }
  // After setuid, which would clear it. The parent may have died before it was set.
  if (command.death_signal != 0 &&
      (::prctl(PR_SET_PDEATHSIG, command.death_signal) != 0 || ::getppid() != parent)) {
    return errno == 0 ? ESRCH : errno;
  }
  ::execve(arguments[0], arguments, environment);
  return errno;
}

auto pointers(std::vector<std::string>& texts) -> std::vector<char*> {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (std::string& text : texts) {
    out.push_back(text.data());
  }
  out.push_back(nullptr);
  return out;
}

}  // namespace

auto spawn(const Command& command) -> pid_t {
  std::vector<std::string> arguments = command.arguments;
  std::vector<std::string> environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C"};
  if (const char* zone = std::getenv("TZ"); zone != nullptr) {
    environment.push_back(std::string("TZ=") + zone);
  }
  const std::vector<char*> argument_pointers = pointers(arguments);
  const std::vector<char*> environment_pointers = pointers(environment);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(), "pipe");
  }
  const Descriptor result(ends[0]);
  Descriptor report(ends[1]);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) {
    throw std::system_error(errno, std::generic_category(), "fork");
  }
  if (pid == 0) {
    const int error =
        become(command, parent, argument_pointers.data(), environment_pointers.data());
    const ssize_t written = ::write(report.get(), &error, sizeof error);
    ::_exit(written == sizeof error ? 127 : 126);
  }
  report.reset();
  int error = 0;
  if (::read(result.get(), &error, sizeof error) == sizeof error) {  // else exec closed it
    ::waitpid(pid, nullptr, 0);
    throw std::system_error(error, std::generic_category(), command.arguments.front());
  }
  return pid;
}

auto wait_exit(pid_t pid, Deadline deadline, const Pause& pause) -> std::optional<int> {
  constexpr std::chrono::milliseconds kStep{20};
  while (true) {
    int status = 0;
    const pid_t ended = ::waitpid(pid, &status, WNOHANG);
    if (ended == pid) {
      return status;
    }
    if ((ended < 0 && errno != EINTR) || std::chrono::steady_clock::now() >= deadline ||
        !pause(kStep)) {
      return std::nullopt;
    }
  }
}

void end_at_once(pid_t pid) {
  ::kill(-pid, SIGKILL);  // its own children too: initdb runs postgres
  ::waitpid(pid, nullptr, 0);
}

auto run_for_output(const std::vector<std::string>& arguments, const Pause& pause)
    -> std::optional<std::string> {
  const Descriptor output(::memfd_create("output", MFD_CLOEXEC));
  const pid_t pid = spawn({.arguments = arguments,
                           .output = output.get(),
                           .account = std::nullopt,
                           .death_signal = SIGKILL});
  const auto status = wait_exit(pid, after(std::chrono::seconds(10)), pause);
  if (!status) {
    end_at_once(pid);
    return std::nullopt;
  }
  std::array<char, 4096> text{};
  const ssize_t size = ::pread(output.get(), text.data(), text.size(), 0);
  if (*status != 0 || size < 0) {
    return std::nullopt;
  }
  return std::string(text.data(), static_cast<std::size_t>(size));
}

}  // namespace query::server
