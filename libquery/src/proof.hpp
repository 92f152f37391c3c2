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
/// run only built-in code that is not volatile. Verdicts are kept by SQL
/// text and hold for one reading of the catalog. Thread-safe.
///
/// A reading is as good as new for 10 s, and good for 20 s. Between the two one caller is told
/// "no", so that its statement goes the way on which the catalog is read again. Who asks seldom is
/// spared readings, and is told "no".
class Proof {
 public:
  [[nodiscard]] auto leaves_no_trace(std::string_view sql) -> bool;

  /// To be told before a statement that may change the catalog is sent, and again after its end:
  /// a reading from between the two may hold the old state.
  void outdate() noexcept { ++changes_; }

  /// A number where the catalog is to be read now, by the caller; adopt() or give_up() follows.
  [[nodiscard]] auto begin_reading() -> std::optional<std::uint64_t>;
  void adopt(std::uint64_t number, CatalogNames names);
  void give_up() noexcept { reading_ = false; }

 private:
  using Clock = std::chrono::steady_clock;

  struct Hash {
    using is_transparent = void;
    auto operator()(std::string_view text) const noexcept -> std::size_t {
      return std::hash<std::string_view>{}(text);
    }
  };

  std::atomic<std::uint64_t> changes_ = 1;
  std::atomic<std::uint64_t> uses_ = 0;  // since the last reading
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
