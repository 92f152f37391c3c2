#include "http_socket.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>
#include <utility>

namespace query::server {
namespace {

constexpr std::size_t kReceive = 16384;
constexpr std::size_t kHeldBack = 16384;

/// Milliseconds for poll(), rounded up so that a wait never ends just before its deadline.
auto poll_timeout(Deadline deadline) -> int {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<std::chrono::milliseconds::rep>(left.count(), 0, 3'600'000));
}

}  // namespace

void Descriptor::reset(int fd) noexcept {
  if (fd_ >= 0) {
    ::close(fd_);
  }
  fd_ = fd;
}

Signal::Signal() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (event_.get() < 0) {
    throw std::system_error(errno, std::generic_category(), "eventfd");
  }
}

void Signal::raise() const noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(event_.get(), &one, sizeof one);
}

Socket::Socket(Descriptor socket, Timeouts timeouts, const Signal& abort)
    : socket_(std::move(socket)), timeouts_(timeouts), abort_(abort) {
  const int on = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

auto Socket::wait(short events, Deadline deadline, const Signal& stop) const -> Input {
  while (true) {
    std::array<pollfd, 3> fds = {pollfd{socket_.get(), events, 0},
                                 pollfd{abort_.descriptor(), POLLIN, 0},
                                 pollfd{stop.descriptor(), POLLIN, 0}};
    const int ready = ::poll(fds.data(), fds.size(), poll_timeout(deadline));
    if (ready < 0 && errno != EINTR) {
      return Input::kEnd;
    }
    if (ready > 0) {
      // What the client has sent already counts before the wish to stop.
      if (fds[1].revents != 0) {
        return Input::kStopped;
      }
      return fds[0].revents != 0 ? Input::kData : Input::kStopped;
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      return Input::kTimeout;
    }
  }
}

auto Socket::wait_for_request(Deadline deadline, const Signal& stop) -> Input {
  if (!buffered().empty()) {
    return Input::kData;
  }
  return wait(POLLIN, deadline, stop);
}

auto Socket::fill(Deadline deadline) -> Input {
  if (!output_.empty() && !flush()) {  // the client may be waiting for it: 100 Continue
    return last_input_ = Input::kEnd;
  }
  if (consumed_ == input_.size()) {
    input_.clear();
    consumed_ = 0;
  } else if (consumed_ > kReceive) {
    input_.erase(0, consumed_);
    consumed_ = 0;
  }
  const std::size_t old = input_.size();
  while (true) {
    input_.resize(old + kReceive);
    const ssize_t count = ::recv(socket_.get(), input_.data() + old, kReceive, MSG_DONTWAIT);
    const int error = errno;
    input_.resize(old + (count > 0 ? static_cast<std::size_t>(count) : 0));
    if (count > 0) {
      return last_input_ = Input::kData;
    }
    if (count == 0) {
      return last_input_ = Input::kEnd;
    }
    if (error == EAGAIN || error == EWOULDBLOCK) {
      const Input waited = wait(POLLIN, deadline, abort_);
      if (waited != Input::kData) {
        return last_input_ = waited;
      }
    } else if (error != EINTR) {
      return last_input_ = Input::kEnd;
    }
  }
}

auto Socket::read(char* out, std::size_t size, Deadline deadline) -> std::size_t {
  if (buffered().empty()) {
    // A sender that trickles must not go on for ever: data does not move the deadline.
    if (std::chrono::steady_clock::now() >= deadline) {
      last_input_ = Input::kTimeout;
      return 0;
    }
    if (fill(deadline) != Input::kData) {
      return 0;
    }
  }
  const std::size_t count = std::min(size, buffered().size());
  std::memcpy(out, buffered().data(), count);
  consume(count);
  return count;
}

auto Socket::write(std::string_view bytes) -> bool {
  if (output_.size() + bytes.size() <= kHeldBack) {
    output_ += bytes;
    return !broken_;
  }
  const bool ok = send_all(output_, bytes);
  output_.clear();
  return ok;
}

auto Socket::flush() -> bool {
  const bool ok = output_.empty() || send_all(output_, {});
  output_.clear();
  return ok && !broken_;
}

auto Socket::send_all(std::string_view first, std::string_view second) -> bool {
  Deadline patience = after(timeouts_.write);
  while (!broken_ && !(first.empty() && second.empty())) {
    std::array<iovec, 2> parts = {iovec{const_cast<char*>(first.data()), first.size()},
                                  iovec{const_cast<char*>(second.data()), second.size()}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const ssize_t count = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count > 0) {
      const auto done = static_cast<std::size_t>(count);
      sent_ += done;
      const std::size_t of_first = std::min(done, first.size());
      first.remove_prefix(of_first);
      second.remove_prefix(done - of_first);
      patience = after(timeouts_.write);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      const Deadline deadline = std::min(patience, write_deadline_);
      broken_ = wait(POLLOUT, deadline, abort_) != Input::kData;
    } else if (errno != EINTR) {
      broken_ = true;
    }
  }
  return !broken_;
}

auto Socket::client_gone() const noexcept -> bool {
  pollfd fd{socket_.get(), POLLRDHUP, 0};
  return ::poll(&fd, 1, 0) > 0 && (fd.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

void Socket::close_gently(Deadline deadline) {
  if (!flush()) {
    return;
  }
  ::shutdown(socket_.get(), SHUT_WR);
  while (std::chrono::steady_clock::now() < deadline && fill(deadline) == Input::kData) {
    consume(buffered().size());
  }
  socket_.reset();
}

void Socket::reset() {
  const linger now{1, 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  socket_.reset();
  broken_ = true;
}

auto Socket::remote() const -> std::string {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (::getpeername(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return {};
  }
  const void* number = nullptr;
  if (address.ss_family == AF_INET) {
    number = &reinterpret_cast<const sockaddr_in*>(&address)->sin_addr;
  } else if (address.ss_family == AF_INET6) {
    number = &reinterpret_cast<const sockaddr_in6*>(&address)->sin6_addr;
  }
  if (number == nullptr ||
      ::inet_ntop(address.ss_family, number, text.data(), text.size()) == nullptr) {
    return {};
  }
  return text.data();
}

}  // namespace query::server
