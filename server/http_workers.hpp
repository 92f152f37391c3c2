#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <query/deadline.hpp>

namespace query::server {

/// A bounded set of threads, each started when it is first needed and kept for the next task.
/// Thread-safe. Nothing is queued: a task runs at once or is refused.
class Workers {
 public:
  explicit Workers(std::size_t most) : most_(most) {}
  Workers(const Workers&) = delete;
  auto operator=(const Workers&) -> Workers& = delete;
  ~Workers() { (void)finish(never); }

  /// False where all threads are busy, none can be started, or finish() was called.
  [[nodiscard]] auto run(std::function<void()> task) -> bool;

  /// Lets the threads end after their tasks; false where some still run at the deadline.
  [[nodiscard]] auto finish(Deadline deadline) -> bool;

  /// Waits until no task runs; false where some still do at the deadline.
  [[nodiscard]] auto wait_idle(Deadline deadline) -> bool;

 private:
  void work();

  const std::size_t most_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable ended_;
  std::deque<std::function<void()>> handed_over_;  // never longer than idle_
  std::size_t threads_ = 0;
  std::size_t idle_ = 0;
  bool finishing_ = false;
};

}  // namespace query::server
