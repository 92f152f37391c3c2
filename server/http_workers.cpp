#include "http_workers.hpp"

#include <chrono>
#include <exception>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "log.hpp"

namespace query::server {
namespace {

/// wait_until with Deadline::max() overflows in some standard libraries.
template <class Condition>
auto wait_for(std::condition_variable& variable, std::unique_lock<std::mutex>& lock,
              Deadline deadline, Condition condition) -> bool {
  constexpr std::chrono::hours kStep{1};
  while (!condition()) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= deadline) {
      return false;
    }
    variable.wait_until(lock, deadline - now > kStep ? now + kStep : deadline);
  }
  return true;
}

}  // namespace

auto Workers::run(std::function<void()> task) -> bool {
  std::unique_lock lock(mutex_);
  if (finishing_) {
    return false;
  }
  if (handed_over_.size() == idle_) {
    if (threads_ == most_) {
      return false;
    }
    try {
      std::thread([this] { work(); }).detach();
    } catch (const std::system_error&) {
      return false;  // the machine has no more threads to give
    }
    ++threads_;
    ++idle_;
  }
  handed_over_.push_back(std::move(task));
  lock.unlock();  // or the thread would wake up only to wait for it
  wake_.notify_one();
  return true;
}

void Workers::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return !handed_over_.empty() || finishing_; });
    if (handed_over_.empty()) {
      break;
    }
    auto task = std::move(handed_over_.front());
    handed_over_.pop_front();
    --idle_;
    lock.unlock();
    try {
      task();
    } catch (const std::exception& error) {
      log_message(Level::kError, std::string("a connection's thread failed: ") + error.what());
    }
    task = nullptr;
    lock.lock();
    ++idle_;
    ended_.notify_all();
  }
  --idle_;
  --threads_;
  ended_.notify_all();
}

auto Workers::finish(Deadline deadline) -> bool {
  std::unique_lock lock(mutex_);
  finishing_ = true;
  wake_.notify_all();
  return wait_for(ended_, lock, deadline, [this] { return threads_ == 0; });
}

auto Workers::wait_idle(Deadline deadline) -> bool {
  std::unique_lock lock(mutex_);
  return wait_for(ended_, lock, deadline,
                  [this] { return idle_ == threads_ && handed_over_.empty(); });
}

}  // namespace query::server
