#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <query/deadline.hpp>
#include <string>

#include "browser.hpp"
#include "config.hpp"
#include "service.hpp"

namespace query::server {

struct HttpOptions {
  Address address;
  std::size_t loops = 1;     ///< threads with many clients each
  std::size_t threads = 64;  ///< threads with one request each, which may wait
  bool express = false;      ///< each loop may keep a connection to the database
  std::size_t max_connections = 10000;
  std::size_t max_body = 16777216;
  std::chrono::milliseconds idle_timeout{30000};
  std::chrono::milliseconds read_timeout{10000};
  std::chrono::milliseconds write_timeout{30000};
  BrowserPolicy::Options browser;
};

/// The HTTP front: connections in, calls of the service out.
class HttpServer {
 public:
  HttpServer(Service& service, HttpOptions options);
  HttpServer(const HttpServer&) = delete;
  auto operator=(const HttpServer&) -> HttpServer& = delete;
  ~HttpServer();

  /// Takes the port and returns it. Throws std::runtime_error with the reason.
  auto bind() -> std::uint16_t;

  /// Accepts connections until stop_accepting(); for a thread of its own.
  void run();

  // The steps of a shutdown, in their order; each callable from any thread.

  /// From now on every answer ends its connection.
  void drain() noexcept;
  /// Refuses new connections and closes those without a request.
  void stop_accepting() noexcept;
  /// Waits for the requests that are being served; false where some still are at the deadline.
  [[nodiscard]] auto wait_idle(Deadline deadline) -> bool;
  /// Ends every wait for a client.
  void abort() noexcept;

 private:
  class Front;
  std::unique_ptr<Front> front_;
};

}  // namespace query::server
