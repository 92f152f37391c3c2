#include "proof.hpp"

#include <cstddef>
#include <mutex>
#include <utility>

#include "statement_text.hpp"

namespace query::detail {

namespace {

constexpr std::chrono::seconds kNew{10};
constexpr std::chrono::seconds kGood{20};
constexpr std::chrono::seconds kBetweenReadings{1};
constexpr std::uint64_t kWorthIt = 50;  // a reading costs about what so many resets cost
constexpr std::size_t kMostVerdicts = 4096;
constexpr std::size_t kLongestText = std::size_t{16} << 10;

}  // namespace

void Proof::begin_change() noexcept {
  ++changing_;
  ++changes_;
}

void Proof::end_change() noexcept {
  ++changes_;
  --changing_;
}

auto Proof::unchanged_since(std::uint64_t changes) const noexcept -> bool {
  return changing_ == 0 && changes_ == changes;  // in this order: what has just ended is counted
}

auto Proof::leaves_no_trace(std::string_view sql, Clock::time_point now) -> bool {
  ++uses_;
  if (sql.size() > kLongestText) {
    return false;
  }
  {
    const std::shared_lock lock(mutex_);
    const auto age = now - read_at_;
    if (!names_ || !unchanged_since(names_of_) || age > kGood) {
      return false;
    }
    if (age > kNew && !scout_sent_.exchange(true)) {
      return false;
    }
    if (const auto known = verdicts_.find(sql); known != verdicts_.end()) {
      return known->second;
    }
  }
  const StatementText text = examine(sql);
  const std::unique_lock lock(mutex_);
  const bool verdict = names_->prove(text);
  if (verdicts_.size() >= kMostVerdicts) {
    verdicts_.clear();
  }
  verdicts_.emplace(sql, verdict);
  return verdict && unchanged_since(names_of_);
}

auto Proof::begin_reading(Clock::time_point now) -> std::optional<std::uint64_t> {
  const auto wanted = [&] {
    return uses_ >= kWorthIt && changing_ == 0 &&
           (!names_ || names_of_ != changes_ || now - read_at_ > kNew) &&
           (!tried_at_ || now - *tried_at_ > kBetweenReadings);
  };
  {
    const std::shared_lock lock(mutex_);
    if (!wanted()) {
      return std::nullopt;
    }
  }
  const std::unique_lock lock(mutex_);
  if (!wanted() || reading_.exchange(true)) {
    return std::nullopt;
  }
  tried_at_ = now;
  uses_ = 0;
  return changes_.load();
}

void Proof::adopt(std::uint64_t number, CatalogNames names) {
  const std::unique_lock lock(mutex_);
  if (!names_ || *names_ != names) {
    names_ = std::move(names);
    verdicts_.clear();
  }
  names_of_ = number;
  read_at_ = *tried_at_;
  scout_sent_ = false;
  reading_ = false;
}

}  // namespace query::detail
