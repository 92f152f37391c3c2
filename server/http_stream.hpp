#pragma once

#include <httplib.h>

#include <array>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "http_socket.hpp"

namespace query::server {

/// What cpp-httplib reads one request from, which has come whole, and writes its answer to.
class RequestStream final : public httplib::Stream {
 public:
  /// `head` is plain_head(); `body` must stay.
  RequestStream(Socket& socket, std::string head, std::string_view body)
      : socket_(socket), head_(std::move(head)), parts_{head_, body} {}

  [[nodiscard]] auto is_readable() const -> bool override { return true; }
  [[nodiscard]] auto is_writable() const -> bool override { return true; }

  auto read(char* out, std::size_t size) -> ssize_t override {
    std::string_view& part = parts_[0].empty() ? parts_[1] : parts_[0];
    const std::size_t count = part.copy(out, size);
    part.remove_prefix(count);
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
  const std::string head_;
  std::array<std::string_view, 2> parts_;
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
