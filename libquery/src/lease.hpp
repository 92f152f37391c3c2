#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

#include <query/pool.hpp>

#include "proof.hpp"
#include "resource_pool.hpp"
#include "session.hpp"

namespace query::detail {

/// What a Pool shares with its leases, so that these may outlive it. Thread-safe.
class PoolCore : public std::enable_shared_from_this<PoolCore> {
 public:
  explicit PoolCore(const PoolOptions& options);

  auto acquire(const QueryOptions& options) -> std::shared_ptr<Lease>;

  /// Takes a session back; `traceless`: all that ran in it left it as it was.
  void give_back(ResourcePool<Session>::Place place, bool traceless) noexcept;

  [[nodiscard]] auto pool() noexcept -> ResourcePool<Session>& { return pool_; }
  [[nodiscard]] auto proof() noexcept -> Proof& { return proof_; }
  [[nodiscard]] auto stats() const -> PoolStats;

 private:
  static auto usable(Session& session, const Patience& patience) -> bool;
  void read_catalog(Session& session, const Patience& patience);

  const ConnectSettings settings_;
  Proof proof_;
  std::atomic<std::uint64_t> resets_ = 0;
  std::atomic<std::uint64_t> resets_skipped_ = 0;
  ResourcePool<Session> pool_;
};

/// A session on loan, shared by the Connection, Transaction and Rows made from it; the last of
/// them gives it back. One thread at a time.
class Lease {
 public:
  Lease(std::shared_ptr<PoolCore> core, ResourcePool<Session>::Place place) noexcept
      : core_(std::move(core)), place_(std::move(place)), begun_(core_->proof().changes()) {}
  ~Lease();
  Lease(const Lease&) = delete;
  auto operator=(const Lease&) -> Lease& = delete;

  [[nodiscard]] auto session() const noexcept -> Session& { return *place_.resource; }

  /// An answer on this session has not been read to its end.
  bool answering = false;

  /// To be told before a statement is sent that is a whole transaction (`alone`) or part of one.
  void note(std::string_view sql, bool alone);

  /// Throws std::logic_error while an answer is open: the connection can do one thing at a time.
  void require_idle() const;

 private:
  std::shared_ptr<PoolCore> core_;
  ResourcePool<Session>::Place place_;
  const std::uint64_t begun_;  // Proof::changes() at the beginning
  bool traceless_ = true;
  bool changes_catalog_ = false;
};

/// What a caller is told when its patience ended before anything was sent.
[[noreturn]] void throw_out_of_patience(const OutOfPatience& end, const char* doing,
                                        Outcome outcome = Outcome::kNothingSent);

}  // namespace query::detail
