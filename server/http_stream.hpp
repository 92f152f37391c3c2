#pragma once

#include <httplib.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <query/deadline.hpp>
#include <string>
#include <utility>

#include "http_head.hpp"
#include "http_socket.hpp"

namespace query::server {

/// What cpp-httplib reads one request from and writes its answer to: the plain head, then exactly
/// this request's body from the socket.
class RequestStream final : public httplib::Stream {
 public:
  RequestStream(Socket& socket, const Head& head, std::size_t max_body, Deadline read_deadline)
      : socket_(socket),
        head_(plain_head(head)),
        read_deadline_(read_deadline),
        // A chunked body's end is cpp-httplib's to find; this bounds what its framing may weigh.
        body_left_(head.chunked ? 2 * std::uint64_t{max_body} + kLongestHead
                                : head.content_length.value_or(0)) {}

  [[nodiscard]] auto body_left() const noexcept -> std::uint64_t { return body_left_; }

  [[nodiscard]] auto is_readable() const -> bool override { return true; }
  [[nodiscard]] auto is_writable() const -> bool override { return true; }

  auto read(char* out, std::size_t size) -> ssize_t override {
    if (head_read_ < head_.size()) {
      const std::size_t count = std::min(size, head_.size() - head_read_);
      std::memcpy(out, head_.data() + head_read_, count);
      head_read_ += count;
      return static_cast<ssize_t>(count);
    }
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(size, body_left_));
    const std::size_t count = most == 0 ? 0 : socket_.read(out, most, read_deadline_);
    body_left_ -= count;
    return static_cast<ssize_t>(count);
  }

  auto write(const char* bytes, std::size_t size) -> ssize_t override {
    return socket_.write({bytes, size}) ? static_cast<ssize_t>(size) : -1;
  }

  void get_remote_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  void get_local_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}

  /// Not the true one: cpp-httplib refuses descriptors that select() could not watch.
  [[nodiscard]] auto socket() const -> socket_t override { return 0; }

 private:
  Socket& socket_;
  std::string head_;
  std::size_t head_read_ = 0;
  Deadline read_deadline_;
  std::uint64_t body_left_;
};

// The differences between the versions of cpp-httplib (0.11.4 … 0.18.7) that concern us.

using SetupRequest = std::function<void(httplib::Request&)>;

/// Server::process_request, which serves one request from any stream.
inline auto process_request(httplib::Server& server,
                            bool (httplib::Server::*member)(httplib::Stream&, bool, bool&,
                                                            const SetupRequest&),
                            httplib::Stream& stream, bool close) -> bool {
  bool closed = false;
  return (server.*member)(stream, close, closed, nullptr);
}
inline auto process_request(httplib::Server& server,
                            bool (httplib::Server::*member)(httplib::Stream&, const std::string&,
                                                            int, const std::string&, int, bool,
                                                            bool&, const SetupRequest&),
                            httplib::Stream& stream, bool close) -> bool {
  bool closed = false;
  return (server.*member)(stream, {}, 0, {}, 0, close, closed, nullptr);
}

/// Runs a task where it is given: the accept loop then hands each socket to the server at once.
class RunInPlace final : public httplib::TaskQueue {
  using Enqueued =
      decltype(std::declval<httplib::TaskQueue&>().enqueue(std::declval<std::function<void()>>()));

 public:
  auto enqueue(std::function<void()> task) -> Enqueued override {
    task();
    return Enqueued(true);
  }
  void shutdown() override {}
};

}  // namespace query::server
