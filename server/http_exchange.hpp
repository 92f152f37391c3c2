#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include <query/deadline.hpp>

#include "http_head.hpp"
#include "http_route.hpp"
#include "http_socket.hpp"
#include "response.hpp"

namespace query::server {

/// One request on its way through, and what the log will say of it. Knows nothing of cpp-httplib.
struct Exchange {
  Socket& socket;
  Head head;
  Deadline arrival;        ///< when its first byte came
  Deadline read_deadline;  ///< by when all of it must be there
  std::string id;
  Fields fields;         ///< header fields that every answer carries
  bool close = false;    ///< the connection ends with this answer
  bool cut_off = false;  ///< the answer was ended in its midst
  int status = 0;
  std::uint64_t rows = 0;
  std::string code = {};
  std::string detail = {};
};

/// Remembers for the log what was answered.
void note(Exchange& exchange, const Reply& reply);

/// Reads until the head is whole; false where the connection ended instead.
[[nodiscard]] auto receive_head(Exchange& exchange, std::optional<HeadRefusal>& refusal) -> bool;

/// Answers without cpp-httplib.
void answer(Exchange& exchange, const Reply& reply);

/// Answers a request whose body is of no interest; false where the body is still to come.
[[nodiscard]] auto pass_over_body(Exchange& exchange, const Reply& reply) -> bool;

/// Sends a large result while it is made, `reply.body` first; false where it could not be
/// completed.
[[nodiscard]] auto send_rest(Exchange& exchange, Reply& reply) -> bool;

/// Writes the request's line to the log; `sent_before` is what the connection had sent until it.
void log_exchange(const Exchange& exchange, std::string_view remote, std::uint64_t sent_before);

}  // namespace query::server
