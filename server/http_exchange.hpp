#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <query/deadline.hpp>

#include "http_head.hpp"
#include "http_route.hpp"
#include "http_socket.hpp"
#include "response.hpp"

namespace query::server {

/// One request on its way through, and what the log will say of it. Knows nothing of cpp-httplib.
struct Exchange {
  Head head;
  std::string body;  ///< without chunks; compressed as Content-Encoding says
  Deadline arrival;  ///< when its first byte came
  std::string id;
  Fields fields{};       ///< header fields that every answer carries, beside the usual
  bool close = false;    ///< the connection ends with this answer
  bool cut_off = false;  ///< the answer was ended in its midst
  bool express = false;  ///< it shared a connection to the database
  int status = 0;
  std::uint64_t rows = 0;
  std::uint64_t sent = 0;  ///< bytes of the answer
  std::string code{};
  std::string detail{};
};

/// Remembers for the log what was answered.
void note(Exchange& exchange, const Reply& reply);

/// Appends a whole answer; without cpp-httplib.
void write_answer(std::string& out, Exchange& exchange, const Reply& reply);

/// Sends a large result while it is made, `reply.body` first; false where it could not be
/// completed.
[[nodiscard]] auto send_rest(Exchange& exchange, Socket& socket, Reply& reply) -> bool;

/// Writes the request's line to the log.
void log_exchange(const Exchange& exchange, std::string_view remote);

}  // namespace query::server
