#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>

#include <query/deadline.hpp>

#include "libpq.hpp"

namespace query::detail {

/// Where to send a cancel request. Made by the thread that uses the connection, fired by any.
///
/// A request names a backend, not a query, so it must not be on its way when the connection goes
/// to somebody else: release() ends the target. A request that was delivered before a query's
/// answer was read to its end can no longer hit a later query.
class CancelTarget {
 public:
  explicit CancelTarget(PGconn* connection);
  ~CancelTarget();
  CancelTarget(const CancelTarget&) = delete;
  auto operator=(const CancelTarget&) -> CancelTarget& = delete;

  /// True when the request was delivered. Waits until then, `deadline` at most where libpq can
  /// (17 and later; before that, tcp_user_timeout is the limit).
  auto cancel(Deadline deadline) noexcept -> bool;

  /// Requests are ignored from now on. False while one is on its way: the connection must not be
  /// used again.
  [[nodiscard]] auto release() noexcept -> bool;

 private:
  auto send(Deadline deadline) noexcept -> bool;

  // Not a timed mutex: GCC 12's thread sanitizer does not know how that one locks.
  std::mutex mutex_;
  std::condition_variable sent_;
  bool sending_ = false;
  bool live_ = true;
#ifdef LIBPQ_HAS_ASYNC_CANCEL
  struct Deleter {
    void operator()(PGcancelConn* cancel) const noexcept { PQcancelFinish(cancel); }
  };
  std::unique_ptr<PGcancelConn, Deleter> handle_;
#else
  struct Deleter {
    void operator()(PGcancel* cancel) const noexcept { PQfreeCancel(cancel); }
  };
  std::unique_ptr<PGcancel, Deleter> handle_;
#endif
};

}  // namespace query::detail
