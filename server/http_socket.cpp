#include "http_socket.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>
#include <utility>

namespace query::server {
namespace {

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

void Signal::lower() const noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t read = ::read(event_.get(), &count, sizeof count);
}

auto Socket::wait_writable(Deadline deadline) const -> bool {
  while (true) {
    std::array<pollfd, 2> fds = {pollfd{socket_.get(), POLLOUT, 0},
                                 pollfd{abort_->descriptor(), POLLIN, 0}};
    const int ready = ::poll(fds.data(), fds.size(), poll_timeout(deadline));
    if (ready != 0 && !(ready < 0 && errno == EINTR)) {
      return ready > 0 && fds[1].revents == 0;
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      return false;
    }
  }
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
      broken_ = !wait_writable(deadline);
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

void Socket::reset() {
  const linger now{1, 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  socket_.reset();
  broken_ = true;
}

auto Socket::release() noexcept -> Descriptor {
  return broken_ ? Descriptor() : std::move(socket_);
}

auto remote_address(const Descriptor& socket) -> std::string {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (::getpeername(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
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
