#include "express_lane.hpp"

#include <exception>
#include <utility>

namespace query::server {
namespace {

constexpr std::size_t kMostUnderWay = 4096;
/// What the answers that came together took, at most, for their statements to stay unsuspected.
constexpr std::chrono::milliseconds kQuickRound{25};
/// The server ends each statement within its timeout: longer silence means that it is not there.
constexpr std::chrono::milliseconds kStuck = Service::kSharedTimeout + std::chrono::seconds(1);
constexpr std::chrono::seconds kIdle{30};
/// A connection does not stay for ever: servers move, and sessions gather memory.
constexpr std::chrono::minutes kOld{10};
constexpr std::chrono::seconds kBeforeNextTry{1};

}  // namespace

auto ExpressLane::wants_connection() const noexcept -> bool {
  return !pipeline_ && !opening_ && Clock::now() >= not_before_;
}

void ExpressLane::open(Connection connection) {
  opening_ = false;
  try {
    pipeline_.emplace(std::move(connection), Pipeline::Transactions::kShared);
  } catch (const std::exception&) {
    return fail();
  }
  under_way_.clear();
  first_ = 1;
  opened_ = moved_ = Clock::now();
  changes_ = service_.catalog_changes();
}

void ExpressLane::fail() noexcept {
  opening_ = false;
  not_before_ = Clock::now() + kBeforeNextTry;
}

auto ExpressLane::submit(std::uint64_t ticket, SharedCall& call) -> bool {
  if (!pipeline_ || !pipeline_->usable() || under_way_.size() >= kMostUnderWay ||
      service_.catalog_changes() != changes_) {
    return false;
  }
  if (pipeline_->pending() == 0) {
    moved_ = Clock::now();
  }
  try {
    (void)pipeline_->submit(std::move(call.statement));
  } catch (const std::exception&) {  // whoever runs it by itself will say what is wrong
    return false;
  }
  under_way_.emplace_back(Passage{ticket, std::move(call)});
  return true;
}

void ExpressLane::advance() {
  if (!pipeline_) {
    return;
  }
  pipeline_->advance();
  if (auto answer = pipeline_->next()) {
    const auto now = Clock::now();
    const bool quick = now - moved_ <= kQuickRound;
    moved_ = now;
    for (; answer; answer = pipeline_->next()) {
      auto& passage = under_way_[answer->number - first_];
      if (!quick) {
        passage->call.record->doubt();
      }
      auto reply = service_.shared_reply(passage->call, *answer);
      arrived_.push_back({std::move(*passage), std::move(reply)});
      passage.reset();
    }
    while (!under_way_.empty() && !under_way_.front()) {
      under_way_.pop_front();
      ++first_;
    }
  }
}

auto ExpressLane::next() -> std::optional<Arrival> {
  if (arrived_.empty()) {
    return std::nullopt;
  }
  Arrival arrival = std::move(arrived_.front());
  arrived_.pop_front();
  return arrival;
}

auto ExpressLane::wants_close() const -> bool {
  if (!pipeline_ || !pipeline_->usable()) {
    return pipeline_.has_value();
  }
  const auto now = Clock::now();
  if (pipeline_->pending() > 0) {
    return now - moved_ > kStuck;
  }
  return now - moved_ > kIdle || now - opened_ > kOld || service_.catalog_changes() != changes_;
}

void ExpressLane::close() {
  // A connection that is lost soon is no accident.
  if (Clock::now() - opened_ < kBeforeNextTry) {
    fail();
  }
  pipeline_.reset();
  for (auto& passage : under_way_) {
    if (passage) {
      arrived_.push_back({std::move(*passage), std::nullopt});
    }
  }
  under_way_.clear();
}

}  // namespace query::server
