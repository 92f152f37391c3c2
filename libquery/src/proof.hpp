#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "catalog_names.hpp"

namespace query::detail {

/// Which statements provably leave no trace in their session: those that do nothing but read, and
/// run only built-in code that is not volatile. Verdicts are kept by SQL text and hold for one
/// reading of the catalog. Thread-safe.
///
/// A reading is as good as new for 10 s, and good for 20 s. Between the two one caller is told
/// "no", so that its statement goes the way on which the catalog is read again. Who asks seldom is
/// spared readings, and is told "no". All are, while something may be changing the catalog: when
/// that takes effect, only the server knows.
class Proof {
 public:
  using Clock = std::chrono::steady_clock;

  [[nodiscard]] auto leaves_no_trace(std::string_view sql, Clock::time_point now = Clock::now())
      -> bool;

  /// Around all that may change the catalog: before it is sent, and when its lease has ended.
  void begin_change() noexcept;
  void end_change() noexcept;

  /// How often that happened: a moment, to be asked about later.
  [[nodiscard]] auto changes() const noexcept -> std::uint64_t { return changes_; }
  /// Whether nothing may have changed the catalog since. A verdict from in between still holds.
  [[nodiscard]] auto unchanged_since(std::uint64_t changes) const noexcept -> bool;

  /// A number where the catalog is to be read now, by the caller; adopt() or give_up() follows.
  [[nodiscard]] auto begin_reading(Clock::time_point now = Clock::now())
      -> std::optional<std::uint64_t>;
  void adopt(std::uint64_t number, CatalogNames names);
  void give_up() noexcept { reading_ = false; }

 private:
  struct Hash {
    using is_transparent = void;
    auto operator()(std::string_view text) const noexcept -> std::size_t {
      return std::hash<std::string_view>{}(text);
    }
  };

  std::atomic<std::uint64_t> changes_ = 0;   // begun and ended
  std::atomic<std::uint64_t> changing_ = 0;  // begun and not ended
  std::atomic<std::uint64_t> uses_ = 0;      // since the last reading
  std::atomic<bool> reading_ = false;
  std::atomic<bool> scout_sent_ = false;

  std::shared_mutex mutex_;
  std::optional<CatalogNames> names_;
  std::uint64_t names_of_ = 0;  // the number of changes before the reading
  Clock::time_point read_at_;
  std::optional<Clock::time_point> tried_at_;
  std::unordered_map<std::string, bool, Hash, std::equal_to<>> verdicts_;
};

}  // namespace query::detail
