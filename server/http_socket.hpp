#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <query/deadline.hpp>
#include <string>
#include <string_view>

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

/// A flag that threads can wait for beside a socket. Once raised it stays.
class Signal {
 public:
  Signal();
  void raise() const noexcept;
  [[nodiscard]] auto descriptor() const noexcept -> int { return event_.get(); }

 private:
  Descriptor event_;
};

/// A client's connection: buffered in both directions, every wait with a deadline. One thread.
///
/// A usual request costs one recv and one send: what is written is held back until the buffer is
/// full, the answer ends, or the reader would have to wait for the client.
class Socket {
 public:
  struct Timeouts {
    std::chrono::milliseconds write;  ///< without a byte taken by the client
  };

  /// `abort` ends every wait.
  Socket(Descriptor socket, Timeouts timeouts, const Signal& abort);

  enum class Input : std::uint8_t { kData, kEnd, kTimeout, kStopped };

  /// Waits for the first byte of a request, or for `stop`.
  [[nodiscard]] auto wait_for_request(Deadline deadline, const Signal& stop) -> Input;

  /// Receives some bytes into the buffer.
  [[nodiscard]] auto fill(Deadline deadline) -> Input;

  /// What has been received and not been consumed yet.
  [[nodiscard]] auto buffered() const noexcept -> std::string_view {
    return std::string_view(input_).substr(consumed_);
  }
  void consume(std::size_t count) noexcept { consumed_ += count; }

  /// Takes up to `size` bytes, buffered ones first; 0 at the end or on failure (see `input()`).
  [[nodiscard]] auto read(char* out, std::size_t size, Deadline deadline) -> std::size_t;
  [[nodiscard]] auto input() const noexcept -> Input { return last_input_; }

  /// False once the client cannot be reached, does not read, or `deadline` has passed.
  auto write(std::string_view bytes) -> bool;
  auto flush() -> bool;

  /// The moment by which everything must have been written, beside the write timeout.
  void write_deadline(Deadline deadline) noexcept { write_deadline_ = deadline; }

  /// Whether the client has closed its side, or is not there any more.
  [[nodiscard]] auto client_gone() const noexcept -> bool;

  /// Ends the connection so that the client gets all that was written even while it still sends:
  /// closing at once would make the kernel take it back. Waits for the client's end, a while.
  void close_gently(Deadline deadline);

  /// Ends the connection so that the client notices a failure.
  void reset();

  [[nodiscard]] auto sent() const noexcept -> std::uint64_t { return sent_; }
  [[nodiscard]] auto remote() const -> std::string;

 private:
  auto send_all(std::string_view first, std::string_view second) -> bool;
  auto wait(short events, Deadline deadline, const Signal& stop) const -> Input;

  Descriptor socket_;
  Timeouts timeouts_;
  const Signal& abort_;
  std::string input_;
  std::size_t consumed_ = 0;
  std::string output_;
  Deadline write_deadline_ = never;
  std::uint64_t sent_ = 0;
  Input last_input_ = Input::kData;
  bool broken_ = false;
};

}  // namespace query::server
