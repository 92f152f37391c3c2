#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace query::server {

/// What is known of one statement's runs, by its text. Thread-safe.
class StatementRecord {
 public:
  /// It has been quick and small, each time of the last few that it was measured.
  [[nodiscard]] auto quick() const noexcept -> bool { return runs_.load(kRelaxed) >= kEnough; }

  /// A run by itself, with nothing else on its connection.
  void measured(std::chrono::steady_clock::duration time, std::size_t bytes) noexcept {
    if (time > kQuick || bytes > kSmall) {
      doubt();
    } else if (runs_.load(kRelaxed) < kEnough) {
      runs_.fetch_add(1, kRelaxed);
    }
  }

  /// It, or one that ran beside it, was not quick: it has to be measured by itself again.
  void doubt() noexcept {
    if (runs_.load(kRelaxed) > 0) {
      runs_.store(0, kRelaxed);
    }
  }

  /// It ran into the express lane's timeout: it is not asked to prove itself again soon.
  void slow() noexcept { runs_.store(kNeverSoon, kRelaxed); }

 private:
  static constexpr auto kRelaxed = std::memory_order_relaxed;
  static constexpr int kEnough = 3;
  static constexpr int kNeverSoon = -1000;
  static constexpr std::chrono::milliseconds kQuick{10};
  static constexpr std::size_t kSmall = std::size_t{64} << 10;

  std::atomic<int> runs_ = 0;
};

/// The records of the statements seen lately. Thread-safe.
class StatementHistory {
 public:
  /// The record of this text, new where there is none; null for a text too long to be kept.
  [[nodiscard]] auto find(std::string_view sql) -> std::shared_ptr<StatementRecord>;

 private:
  // Two generations: what the older one has and nobody asks for is forgotten with it.
  struct Hash {
    using is_transparent = void;
    auto operator()(std::string_view text) const noexcept -> std::size_t {
      return std::hash<std::string_view>{}(text);
    }
  };
  using Records =
      std::unordered_map<std::string, std::shared_ptr<StatementRecord>, Hash, std::equal_to<>>;
  struct Shard {
    std::mutex mutex;
    Records young;
    Records old;
  };

  std::array<Shard, 16> shards_;
};

}  // namespace query::server
