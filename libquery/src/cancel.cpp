#include "cancel.hpp"

#include <poll.h>

#include <array>

#include "wait.hpp"

namespace query::detail {

CancelTarget::~CancelTarget() = default;

auto CancelTarget::release() noexcept -> bool {
  const std::scoped_lock lock(mutex_);
  live_ = false;
  return !sending_;
}

auto CancelTarget::cancel(Deadline deadline) noexcept -> bool {
  {
    std::unique_lock lock(mutex_);
    if (!sent_.wait_until(lock, deadline, [this] { return !sending_; }) || !live_) {
      return false;
    }
    sending_ = true;
  }
  const bool delivered = send(deadline);
  {
    const std::scoped_lock lock(mutex_);
    sending_ = false;
  }
  sent_.notify_all();
  return delivered;
}

#ifdef LIBPQ_HAS_ASYNC_CANCEL

CancelTarget::CancelTarget(PGconn* connection) : handle_(PQcancelCreate(connection)) {}

auto CancelTarget::send(Deadline deadline) noexcept -> bool {
  if (handle_ == nullptr) {
    return false;
  }
  try {
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

auto CancelTarget::send(Deadline /*deadline*/) noexcept -> bool {
  std::array<char, 256> message{};
  return handle_ != nullptr &&
         PQcancel(handle_.get(), message.data(), static_cast<int>(message.size())) == 1;
}

#endif

}  // namespace query::detail
