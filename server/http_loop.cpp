#include "http_loop.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>
#include <variant>

#include "log.hpp"

namespace query::server {
namespace {

constexpr std::uint64_t kWakeId = ~std::uint64_t{0};
constexpr std::uint64_t kLaneId = kWakeId - 1;

constexpr std::chrono::milliseconds kSweep{250};

}  // namespace

Loop::Loop(const LoopContext& context)
    : context_(context), epoll_(::epoll_create1(EPOLL_CLOEXEC)), lane_(context.service) {
  if (epoll_.get() < 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_create1");
  }
  epoll_event event{.events = EPOLLIN, .data = {.u64 = kWakeId}};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.descriptor(), &event);
  thread_ = std::thread([this] { run(); });
}

Loop::~Loop() {
  post([this] { stopping_ = true; });
  thread_.join();
}

void Loop::post(std::function<void()> task) {
  {
    const std::scoped_lock lock(mutex_);
    posts_.push_back(std::move(task));
  }
  wake_.raise();
}

void Loop::take_posts() {
  wake_.lower();
  std::vector<std::function<void()>> posts;
  {
    const std::scoped_lock lock(mutex_);
    posts.swap(posts_);
  }
  for (const auto& task : posts) {
    task();
  }
}

void Loop::adopt(Descriptor socket) {
  ++context_.connections;
  ++busy_;
  const auto shared = std::make_shared<Descriptor>(std::move(socket));
  post([this, shared] { add(std::move(*shared)); });
}

void Loop::close_idle() noexcept {
  post([this] {
    closing_idle_ = true;
    sweep();
  });
}

void Loop::abort() noexcept {
  post([this] {
    aborted_ = true;
    sweep();
  });
}

void Loop::run() {
  std::array<epoll_event, 256> events{};
  while (!stopping_) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(
        next_sweep_ - std::chrono::steady_clock::now());
    const bool nobody = clients_.empty() && !lane_.is_open();
    const auto timeout = nobody ? -1 : std::clamp<long>(left.count(), 0, kSweep.count());
    const int count =
        ::epoll_wait(epoll_.get(), events.data(), events.size(), static_cast<int>(timeout));
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.u64 == kWakeId) {
        take_posts();
      } else if (const auto found = clients_.find(event.data.u64); found != clients_.end()) {
        on_event(found->first, found->second, event.events);
      }
    }
    if (std::chrono::steady_clock::now() >= next_sweep_) {
      sweep();
    }
    turn_lane();
    // Looking after one may touch another: the lane may have to give up what it holds.
    while (!touched_.empty()) {
      for (const Id id : std::exchange(touched_, {})) {
        if (const auto found = clients_.find(id); found != clients_.end()) {
          found->second.touched = false;
          look_after(id, found->second);
        }
      }
    }
    flush_log();
  }
}

void Loop::sweep() {
  const auto now = std::chrono::steady_clock::now();
  next_sweep_ = now + kSweep;
  std::vector<Id> due;
  for (auto& [id, client] : clients_) {
    if (client.away()) {
      continue;
    }
    if (client.deadline <= now || aborted_ || (closing_idle_ && client.idle())) {
      due.push_back(id);
    } else if (client.idle()) {
      client.reader.shrink();
      client.output.shrink_to_fit();
    }
  }
  for (const Id id : due) {
    expire(id, clients_.at(id));
  }
}

// The express lane.

void Loop::turn_lane() {
  lane_.advance();
  if (lane_.wants_close()) {
    // Before the connection is another's; a lost one's descriptor is closed already.
    if (lane_.socket() == lane_socket_) {
      ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, lane_socket_, nullptr);
    }
    lane_socket_ = -1;
    lane_.close();
  }
  while (auto arrival = lane_.next()) {
    arrive(std::move(*arrival));
  }
  watch_lane();
}

void Loop::arrive(ExpressLane::Arrival arrival) {
  const std::uint64_t ticket = arrival.passage.ticket;
  const auto found = clients_.find(ticket >> kTurnBits);
  if (found == clients_.end()) {
    return;
  }
  Client& client = found->second;
  const std::uint32_t place = (static_cast<std::uint32_t>(ticket) - client.first_turn) & kTurnMask;
  if (place >= client.turns.size()) {
    return;
  }
  Turn& turn = client.turns[place];
  if (arrival.reply) {
    turn.exchange.close = turn.exchange.close || context_.draining;
    turn.exchange.express = true;
    write_answer(turn.answer, turn.exchange, *arrival.reply);
    turn.state = Turn::State::kAnswered;
  } else {
    turn.state = Turn::State::kPrivate;
  }
  touch(found->first, client);
}

void Loop::open_lane() {
  lane_.opening();
  const bool runs = context_.run([this] {
    std::shared_ptr<std::optional<Connection>> made;
    try {
      made = std::make_shared<std::optional<Connection>>(context_.service.shared_connection());
    } catch (const std::exception&) {
      made = std::make_shared<std::optional<Connection>>();  // a request by itself tells why
    }
    post([this, made] {
      if (*made && !stopping_ && !aborted_) {
        lane_.open(std::move(**made));
      } else {
        lane_.fail();
      }
      watch_lane();
    });
  });
  if (!runs) {
    lane_.fail();
  }
}

/// Keeps epoll's idea of the lane's socket right.
void Loop::watch_lane() {
  if (!lane_.is_open()) {
    return;
  }
  const std::uint32_t events = EPOLLIN | (lane_.wants_to_write() ? EPOLLOUT : 0U);
  const bool added = lane_socket_ == lane_.socket();
  if (!added || events != lane_watched_) {
    lane_socket_ = lane_.socket();
    lane_watched_ = events;
    epoll_event event{.events = events, .data = {.u64 = kLaneId}};
    ::epoll_ctl(epoll_.get(), added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, lane_socket_, &event);
  }
}

}  // namespace query::server
