#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <query/deadline.hpp>
#include <query/json.hpp>
#include <query/pipeline.hpp>
#include <query/pool.hpp>
#include <query/statement.hpp>
#include <string>
#include <string_view>

#include "response.hpp"
#include "statement_history.hpp"

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

/// A call that may share a connection with others: one statement that leaves no trace in its
/// session, and was quick so far.
struct SharedCall {
  Statement statement;
  JsonOptions json;
  std::string_view content_type;
  Asked asked;
  std::shared_ptr<StatementRecord> record;
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

  // The express lane: many statements on one connection (see express_lane.hpp).

  /// The server ends a statement of the express lane after this time.
  static constexpr std::chrono::milliseconds kSharedTimeout{50};

  /// Whether a call may share a connection. Nothing for all that is unusual, mistakes included:
  /// query() answers that.
  [[nodiscard]] auto may_share(std::string_view body, std::string_view accept)
      -> std::optional<SharedCall>;

  /// A connection for that. Waits. Throws as Pool::acquire().
  [[nodiscard]] auto shared_connection() -> Connection;

  /// Such a connection is to be given back when this has changed: see Pool::catalog_changes().
  [[nodiscard]] auto catalog_changes() const noexcept -> std::uint64_t {
    return pool_.catalog_changes();
  }

  /// The reply; nothing where the statement has to be run by itself, which can do no harm.
  [[nodiscard]] auto shared_reply(const SharedCall& call, const PipelineAnswer& answer)
      -> std::optional<Reply>;

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
  void remember(std::string_view sql, std::chrono::steady_clock::duration time, std::size_t bytes);

  Pool& pool_;
  ServiceLimits limits_;
  StatementHistory history_;
  std::atomic<bool> draining_ = false;
  std::atomic<bool> aborting_ = false;
  std::atomic<std::chrono::steady_clock::rep> last_seen_ = 0;  ///< 0: the database never answered
  std::mutex checking_;
};

}  // namespace query::server
