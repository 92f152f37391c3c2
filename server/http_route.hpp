#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "browser.hpp"
#include "http_head.hpp"
#include "response.hpp"

namespace query::server {

enum class Route : std::uint8_t { kQuery, kOptions, kLivez, kReadyz };

/// Where a request goes by its head alone, or why it goes nowhere. Nothing of its body is read.
[[nodiscard]] auto find_route(const Head& head, const BrowserPolicy& policy, std::size_t max_body)
    -> std::variant<Route, Reply>;

using Fields = std::vector<std::pair<std::string, std::string>>;

/// What an allowed origin's browser needs to see with every answer (Fetch standard, CORS).
[[nodiscard]] auto cors_fields(const Head& head, const BrowserPolicy& policy) -> Fields;

/// The answer to OPTIONS /query, a browser's preflight or not.
[[nodiscard]] auto options_reply(const Head& head) -> Reply;

/// The client's own X-Request-Id where it is harmless, else a new one.
[[nodiscard]] auto request_id(const Head& head) -> std::string;

/// What an answer says beside its reply.
struct Envelope {
  std::string_view id;
  const Fields& fields;
  bool close = false;
  bool without_body = false;
};

/// Appends a whole response, for an answer that is given without cpp-httplib.
void write_response(std::string& out, const Reply& reply, const Envelope& envelope);

}  // namespace query::server
