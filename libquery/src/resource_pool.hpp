#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <query/error.hpp>
#include <query/pool.hpp>

#include "wait.hpp"

namespace query::detail {

/// A bounded set of anything that is costly to open: idle ones are a stack (the hot stay hot, the
/// bottom ages out), waiters a queue (fair). Knows nothing of PostgreSQL.
///
/// A Place is the right to hold one resource. acquire() gives a place with an idle resource in it
/// or an empty one, whose holder then opens the resource itself, outside the lock. release() takes
/// the place back; one without a resource (opening failed, or it was discarded) frees its slot.
/// Every place must come back. Resources are destroyed outside the lock.
///
/// Thread-safe.
template <class T>
class ResourcePool {
 public:
  using Clock = std::chrono::steady_clock;

  struct Place {
    std::unique_ptr<T> resource;
    Clock::time_point expires;     ///< end of the resource's life
    Clock::time_point idle_until;  ///< set while idle
    std::uint64_t generation = 0;
  };

  explicit ResourcePool(PoolOptions options) : options_(std::move(options)) {}

  /// Waits for a place. Throws Busy (queue full, `max_wait` passed, closed) or OutOfPatience.
  [[nodiscard]] auto acquire(const Patience& patience) -> Place {
    Graveyard dead;  // outlives the lock
    std::unique_lock lock(mutex_);
    refuse_if_closed();
    expire(dead);
    if (waiters_.empty()) {
      if (!idle_.empty()) {
        Place place = std::move(idle_.back());
        idle_.pop_back();
        ++stats_.acquired;
        return place;
      }
      if (stats_.size < options_.max_size) {
        ++stats_.size;
        ++stats_.acquired;
        return fresh();
      }
    }
    if (waiters_.size() >= options_.max_waiting) {
      ++stats_.refused_busy;
      throw Busy("all connections are in use and the queue of waiting callers is full");
    }
    return wait_in_line(lock, patience);
  }

  /// Sets when the resource that was just opened in `place` must end.
  void opened(Place& place) {
    const std::lock_guard lock(mutex_);
    ++stats_.connected;
    // A jitter of a tenth keeps connections opened together from ending together.
    std::uniform_real_distribution<double> jitter(0.9, 1.1);
    const std::chrono::duration<double> life(static_cast<double>(options_.max_lifetime.count()) *
                                             jitter(random_));
    place.expires = Clock::now() + std::chrono::duration_cast<Clock::duration>(life);
  }

  /// Gives an empty place back: opening its resource failed.
  void open_failed(Place place) {
    const std::lock_guard lock(mutex_);
    ++stats_.connect_failed;
    hand_over(std::move(place));
  }

  /// Takes a place back. A resource in it goes to the first waiter or becomes idle.
  void release(Place place) {
    Graveyard dead;
    const std::lock_guard lock(mutex_);
    if (!place.resource) {
      ++stats_.discarded;
    } else if (closed_ || place.generation != generation_ || place.expires <= Clock::now()) {
      ++stats_.expired;
      dead.push_back(std::move(place.resource));
    }
    hand_over(std::move(place));
    expire(dead);
  }

  /// The resources opened so far are suspect: the idle ones go now, the others when they return.
  void start_new_generation() {
    Graveyard dead;
    const std::lock_guard lock(mutex_);
    ++generation_;
    bury_idle(dead);
  }

  void close_idle() {
    Graveyard dead;
    const std::lock_guard lock(mutex_);
    bury_idle(dead);
  }

  void close() {
    Graveyard dead;
    const std::lock_guard lock(mutex_);
    closed_ = true;
    bury_idle(dead);
    for (Waiter* waiter : waiters_) {
      waiter->ready.notify_one();
    }
  }

  [[nodiscard]] auto stats() const -> PoolStats {
    const std::lock_guard lock(mutex_);
    PoolStats stats = stats_;
    stats.idle = idle_.size();
    stats.waiting = waiters_.size();
    return stats;
  }

 private:
  struct Waiter {
    std::condition_variable ready;
    std::optional<Place> place;
  };
  using Graveyard = std::vector<std::unique_ptr<T>>;

  [[nodiscard]] auto fresh() const -> Place {
    Place place;
    place.generation = generation_;
    return place;
  }

  void refuse_if_closed() {
    if (closed_) {
      ++stats_.refused_busy;
      throw Busy("the pool is closed");
    }
  }

  auto wait_in_line(std::unique_lock<std::mutex>& lock, const Patience& patience) -> Place {
    ++stats_.waited;
    Waiter self;
    const auto position = waiters_.insert(waiters_.end(), &self);
    const Deadline patience_of_pool = after(options_.max_wait);
    try {
      while (!self.place) {
        refuse_if_closed();
        wait_slice(lock, self, patience, patience_of_pool);
      }
    } catch (...) {
      // The lock is held here. A place that came at the last moment goes to the next in line.
      if (self.place) {
        hand_over(std::move(*self.place));
      } else {
        waiters_.erase(position);
      }
      throw;
    }
    ++stats_.acquired;
    return std::move(*self.place);
  }

  void wait_slice(std::unique_lock<std::mutex>& lock, Waiter& self, const Patience& patience,
                  Deadline patience_of_pool) {
    if (patience.interrupted != nullptr) {
      lock.unlock();
      const bool stop = (*patience.interrupted)();
      lock.lock();
      if (stop) {
        throw OutOfPatience{OutOfPatience::Cause::kInterrupted};
      }
      if (self.place) {
        return;
      }
    }
    const auto now = Clock::now();
    if (now >= patience.deadline) {
      throw OutOfPatience{OutOfPatience::Cause::kDeadline};
    }
    if (now >= patience_of_pool) {
      ++stats_.refused_busy;
      throw Busy("no connection became free within " + std::to_string(options_.max_wait.count()) +
                 " ms");
    }
    const Deadline until = std::min(patience.deadline, patience_of_pool);
    const auto slice = patience.interrupted != nullptr ? Clock::duration(kInterruptInterval)
                                                       : Clock::duration(std::chrono::minutes(10));
    self.ready.wait_until(lock, now + std::min(slice, until - now));
  }

  /// Passes a place on: to the first waiter, to the idle stack, or away. Under the lock.
  void hand_over(Place place) {
    if (!waiters_.empty() && !closed_) {
      Waiter* first = waiters_.front();
      waiters_.pop_front();
      first->place = place.resource ? std::move(place) : fresh();
      first->ready.notify_one();
    } else if (place.resource) {
      place.idle_until = Clock::now() + options_.max_idle;
      idle_.push_back(std::move(place));
    } else {
      --stats_.size;
    }
  }

  /// Ends idle resources whose time has come. Under the lock.
  void expire(Graveyard& dead) {
    const auto now = Clock::now();
    std::erase_if(idle_, [&](Place& place) {
      if (place.idle_until > now && place.expires > now) {
        return false;
      }
      ++stats_.expired;
      --stats_.size;
      dead.push_back(std::move(place.resource));
      return true;
    });
  }

  void bury_idle(Graveyard& dead) {
    stats_.size -= idle_.size();
    stats_.expired += idle_.size();
    for (Place& place : idle_) {
      dead.push_back(std::move(place.resource));
    }
    idle_.clear();
  }

  const PoolOptions options_;
  mutable std::mutex mutex_;
  std::vector<Place> idle_;
  std::list<Waiter*> waiters_;
  PoolStats stats_;
  std::uint64_t generation_ = 0;
  bool closed_ = false;
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace query::detail
