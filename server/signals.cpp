#include "signals.hpp"

#include <ctime>

namespace query::server {

Signals::Signals() {
  ::sigemptyset(&set_);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) {
    struct sigaction before {};
    ::sigaction(signal, nullptr, &before);
    if (signal != SIGHUP || before.sa_handler != SIG_IGN) {  // nohup means what it says
      ::sigaddset(&set_, signal);
    }
  }
  ::pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, nullptr);
}

auto Signals::wait(std::chrono::milliseconds timeout) const -> std::optional<int> {
  timespec time{};
  time.tv_sec = static_cast<std::time_t>(timeout.count() / 1000);
  time.tv_nsec = static_cast<long>(timeout.count() % 1000) * 1'000'000;
  const int signal = ::sigtimedwait(&set_, nullptr, &time);
  return signal > 0 ? std::optional(signal) : std::nullopt;
}

}  // namespace query::server
