#include "cancel.hpp"

#include <poll.h>

#include <array>

#include "wait.hpp"

namespace query::detail {

CancelTarget::~CancelTarget() = default;

auto CancelTarget::release() noexcept -> bool {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) {
    return false;
  }
  live_ = false;
  return true;
}

#ifdef LIBPQ_HAS_ASYNC_CANCEL

CancelTarget::CancelTarget(PGconn* connection) : handle_(PQcancelCreate(connection)) {}

auto CancelTarget::cancel(Deadline deadline) noexcept -> bool {
  try {
    const std::unique_lock lock(mutex_, deadline);
    if (!lock.owns_lock() || !live_ || handle_ == nullptr) {
      return false;
    }
    PQcancelReset(handle_.get());
    if (PQcancelStart(handle_.get()) == 0) {
      return false;
    }
    for (;;) {
      switch (PQcancelPoll(handle_.get())) {
        case PGRES_POLLING_OK:
          return true;
        case PGRES_POLLING_READING:
          wait(PQcancelSocket(handle_.get()), POLLIN, Patience(deadline));
          break;
        case PGRES_POLLING_WRITING:
          wait(PQcancelSocket(handle_.get()), POLLOUT, Patience(deadline));
          break;
        default:
          return false;
      }
    }
  } catch (...) {  // out of patience, or of memory
    return false;
  }
}

#else

CancelTarget::CancelTarget(PGconn* connection) : handle_(PQgetCancel(connection)) {}

auto CancelTarget::cancel(Deadline deadline) noexcept -> bool {
  try {
    const std::unique_lock lock(mutex_, deadline);
    if (!lock.owns_lock() || !live_ || handle_ == nullptr) {
      return false;
    }
    std::array<char, 256> message{};
    return PQcancel(handle_.get(), message.data(), static_cast<int>(message.size())) == 1;
  } catch (...) {
    return false;
  }
}

#endif

}  // namespace query::detail
