#include "http_refuse.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <utility>

#include "http_head.hpp"

namespace query::server {
namespace {

constexpr std::size_t kMost = 512;
constexpr std::chrono::milliseconds kEach{1000};
constexpr int kTick = 100;  // milliseconds between looks at the deadlines

}  // namespace

Refuser::Refuser(Answer answer) : answer_(std::move(answer)), thread_([this] { run(); }) {}

Refuser::~Refuser() {
  stop_.raise();
  thread_.join();
}

void Refuser::take(Descriptor socket) {
  const std::scoped_lock lock(mutex_);
  if (new_.size() < kMost) {
    new_.push_back(std::move(socket));
    wake_.raise();
  }
}

void Refuser::collect_new(std::vector<Refused>& refused) {
  wake_.lower();
  const std::scoped_lock lock(mutex_);
  for (Descriptor& socket : new_) {
    if (refused.size() < kMost) {
      refused.push_back({std::move(socket), after(kEach), {}, false});
    }
  }
  new_.clear();
}

void Refuser::run() {
  std::vector<Refused> refused;
  std::vector<pollfd> fds;
  while (true) {
    fds.assign({pollfd{stop_.descriptor(), POLLIN, 0}, pollfd{wake_.descriptor(), POLLIN, 0}});
    for (const Refused& one : refused) {
      fds.push_back({one.socket.get(), POLLIN, 0});
    }
    (void)::poll(fds.data(), fds.size(), refused.empty() ? -1 : kTick);
    if (fds[0].revents != 0) {
      return;
    }
    const auto now = std::chrono::steady_clock::now();
    std::vector<Refused> kept;
    for (std::size_t i = 0; i < refused.size(); ++i) {
      if ((fds[i + 2].revents == 0 || serve(refused[i])) && now < refused[i].deadline) {
        kept.push_back(std::move(refused[i]));
      }
    }
    refused = std::move(kept);
    if (fds[1].revents != 0) {
      collect_new(refused);
    }
  }
}

auto Refuser::serve(Refused& one) const -> bool {
  std::array<char, 16384> bytes;
  const ssize_t count = ::recv(one.socket.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (count <= 0) {
    return false;
  }
  if (one.answered) {
    return true;  // the rest of its body; closing before it is read would unsend the answer
  }
  one.input.append(bytes.data(), static_cast<std::size_t>(count));
  if (find_head_end(one.input) != std::string_view::npos || one.input.size() > kLongestHead) {
    const std::string response = answer_(one.input);
    (void)::send(one.socket.get(), response.data(), response.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    ::shutdown(one.socket.get(), SHUT_WR);
    one.answered = true;
    one.input.clear();
  }
  return true;
}

}  // namespace query::server
