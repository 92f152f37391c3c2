#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <query/deadline.hpp>
#include <query/pool.hpp>
#include <string>
#include <string_view>

#include "response.hpp"

namespace query::server {

/// What a request may use at most, and gets where it does not say.
struct ServiceLimits {
  std::chrono::milliseconds timeout{30000};
  std::chrono::milliseconds max_timeout{300000};
  std::uint64_t max_rows = 0;  ///< 0: no limit
  bool read_only = false;      ///< whatever a request says
};

/// One request for /query, as the service sees it.
struct Call {
  std::string_view body;
  std::string_view accept;               ///< the Accept header
  Deadline arrival;                      ///< when its first byte came; timeout_ms counts from here
  std::function<bool()> client_gone;     ///< whether nobody waits for the answer any more
  std::function<void(Deadline)> budget;  ///< told the request's deadline once it is known
};

/// The routes: plain functions from request to reply. Thread-safe.
class Service {
 public:
  Service(Pool& pool, const ServiceLimits& limits);

  /// POST /query. Small results come whole; `Reply::rest` holds what is left of a large one and
  /// may throw while it is read: give that to `late_error`.
  [[nodiscard]] auto query(const Call& call) -> Reply;

  /// What a failure of `Reply::rest` was, for the log; the client's answer is cut off.
  [[nodiscard]] static auto late_error(const std::exception_ptr& exception) -> Reply;

  /// GET /livez: the process answers. Never touches the database.
  [[nodiscard]] static auto livez() -> Reply;

  /// GET /readyz: 200 once a first connection to the database worked, through up to 30 s of its
  /// absence, and until draining begins. Asks the database where nothing else did lately.
  [[nodiscard]] auto readyz() -> Reply;

  /// The same from what is known already, for a caller that must not wait.
  [[nodiscard]] auto readyz_now() const -> Reply;

  /// Asks the database for a sign of life; the text of the failure, if any, is for the log only.
  auto check_database(Deadline deadline) -> std::optional<std::string>;

  /// From now on /readyz is 503.
  void drain() noexcept { draining_ = true; }

  /// From now on whatever waits is cancelled.
  void abort() noexcept { aborting_ = true; }

 private:
  void saw_database() noexcept;
  [[nodiscard]] auto since_database() const noexcept -> std::optional<std::chrono::milliseconds>;
  [[nodiscard]] auto answer(const Call& call) -> Reply;

  Pool& pool_;
  ServiceLimits limits_;
  std::atomic<bool> draining_ = false;
  std::atomic<bool> aborting_ = false;
  std::atomic<std::chrono::steady_clock::rep> last_seen_ = 0;  ///< 0: the database never answered
  std::mutex checking_;
};

}  // namespace query::server
