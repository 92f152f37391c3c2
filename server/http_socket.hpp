#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <query/deadline.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace query::server {

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  auto operator=(Descriptor&& other) noexcept -> Descriptor& {
    if (this != &other) {
      reset(other.release());
    }
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  auto operator=(const Descriptor&) -> Descriptor& = delete;
  ~Descriptor() { reset(); }

  [[nodiscard]] auto get() const noexcept -> int { return fd_; }
  auto release() noexcept -> int {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void reset(int fd = -1) noexcept;

 private:
  int fd_;
};

/// A flag that threads can wait for beside a socket.
class Signal {
 public:
  Signal();
  void raise() const noexcept;
  void lower() const noexcept;
  [[nodiscard]] auto descriptor() const noexcept -> int { return event_.get(); }

 private:
  Descriptor event_;
};

/// A client's connection as a thread sees it that may wait for the client: writes, with a deadline
/// on every wait. Held back is what is written until the buffer is full or the answer ends, so that
/// a usual answer costs one send. One thread.
class Socket {
 public:
  struct Timeouts {
    std::chrono::milliseconds write;  ///< without a byte taken by the client
  };

  /// `abort` ends every wait.
  Socket(Descriptor socket, Timeouts timeouts, const Signal& abort)
      : socket_(std::move(socket)), timeouts_(timeouts), abort_(&abort) {}

  /// False once the client cannot be reached, does not read, or `deadline` has passed.
  auto write(std::string_view bytes) -> bool;
  auto flush() -> bool;

  /// The moment by which everything must have been written, beside the write timeout.
  void write_deadline(Deadline deadline) noexcept { write_deadline_ = deadline; }

  /// Whether the client has closed its side, or is not there any more.
  [[nodiscard]] auto client_gone() const noexcept -> bool;

  /// Ends the connection so that the client notices a failure.
  void reset();

  [[nodiscard]] auto sent() const noexcept -> std::uint64_t { return sent_; }

  /// Gives the connection away; without one where it is broken.
  [[nodiscard]] auto release() noexcept -> Descriptor;

 private:
  auto send_all(std::string_view first, std::string_view second) -> bool;
  [[nodiscard]] auto wait_writable(Deadline deadline) const -> bool;

  Descriptor socket_;
  Timeouts timeouts_;
  const Signal* abort_;
  std::string output_;
  Deadline write_deadline_ = never;
  std::uint64_t sent_ = 0;
  bool broken_ = false;
};

/// The address of a client.
[[nodiscard]] auto remote_address(const Descriptor& socket) -> std::string;

}  // namespace query::server
