#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <query/deadline.hpp>
#include <query/pipeline.hpp>

#include "service.hpp"

namespace query::server {

/// Many statements of many clients on one connection, for a thread that never waits. Takes only
/// what may be lost: statements without effects, which can be run again elsewhere. One thread.
class ExpressLane {
 public:
  /// One statement's way through the lane; `ticket` is the caller's.
  struct Passage {
    std::uint64_t ticket = 0;
    SharedCall call;
  };
  struct Arrival {
    Passage passage;
    std::optional<Reply> reply;  ///< none where the statement has to be run elsewhere
  };

  explicit ExpressLane(Service& service) : service_(service) {}

  [[nodiscard]] auto is_open() const noexcept -> bool { return pipeline_.has_value(); }

  /// Whether a connection would be of use, and none is being made.
  [[nodiscard]] auto wants_connection() const noexcept -> bool;

  /// The connection is being made, by a thread that may wait; open() or fail() tells the end.
  void opening() noexcept { opening_ = true; }
  void open(Connection connection);
  void fail() noexcept;

  /// Takes a statement; false where the lane is closed or full.
  [[nodiscard]] auto submit(std::uint64_t ticket, SharedCall& call) -> bool;

  /// Sends and takes in what can be without waiting.
  void advance();
  [[nodiscard]] auto next() -> std::optional<Arrival>;

  /// Whether the connection is lost, stuck, idle for long, or old; or what it ran may have been
  /// proven of another catalog.
  [[nodiscard]] auto wants_close() const -> bool;

  /// Gives the connection back; what is under way arrives, to be run elsewhere.
  void close();

  [[nodiscard]] auto socket() const noexcept -> int { return pipeline_->socket(); }
  [[nodiscard]] auto wants_to_write() const noexcept -> bool { return pipeline_->wants_to_write(); }

 private:
  using Clock = std::chrono::steady_clock;

  Service& service_;
  std::optional<Pipeline> pipeline_;
  std::deque<std::optional<Passage>> under_way_;  // by number; those answered are empty
  std::uint64_t first_ = 1;                       // the number of under_way_'s first
  std::deque<Arrival> arrived_;
  std::uint64_t changes_ = 0;  // Service::catalog_changes() when it was opened
  Clock::time_point opened_;
  Clock::time_point moved_;       // when something last arrived, or was submitted to an idle lane
  Clock::time_point not_before_;  // when a new connection may be tried
  bool opening_ = false;
};

}  // namespace query::server
