#include "http_route.hpp"

#include <array>
#include <cstdio>
#include <optional>
#include <random>

namespace query::server {
namespace {

auto not_allowed(std::string_view allow) -> Reply {
  Reply reply = error_reply(405, "method_not_allowed",
                            "this path does not take that method; it takes " + std::string(allow));
  reply.headers.emplace_back("Allow", allow);
  return reply;
}

/// Whether a page of a foreign site sent this.
auto check_browser(const Head& head, const BrowserPolicy& policy) -> std::optional<Reply> {
  if (!policy.allows_host(head.field("host"))) {
    return error_reply(403, "forbidden",
                       "the Host header names neither this machine nor an allowed origin");
  }
  if (const auto origin = head.field("origin"); origin && !policy.allows_origin(*origin)) {
    Reply reply = error_reply(403, "forbidden", "requests from this origin are not allowed",
                              "the server's --allow-origin says which web sites may send them");
    reply.headers.emplace_back("Vary", "Origin");
    return reply;
  }
  return std::nullopt;
}

auto check_query(const Head& head, std::size_t max_body) -> std::optional<Reply> {
  if (!head.query.empty()) {
    return error_reply(400, "bad_request", "a query string has no meaning here",
                       "options are members of the JSON body");
  }
  if (!head.chunked && !head.content_length) {
    return error_reply(411, "length_required", "a Content-Length is needed");
  }
  if (head.content_length.value_or(0) > max_body) {
    return error_reply(413, "payload_too_large",
                       "the body is larger than " + std::to_string(max_body) + " bytes");
  }
  if (const auto encoding = head.field("content-encoding");
      encoding && *encoding != "identity" && *encoding != "gzip" && *encoding != "deflate") {
    return error_reply(415, "unsupported_encoding",
                       "the only Content-Encodings known are gzip and deflate");
  }
  return std::nullopt;
}

auto is_harmless_id(std::string_view id) -> bool {
  constexpr std::string_view kAllowed =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.:/+=";
  return !id.empty() && id.size() <= 128 &&
         id.find_first_not_of(kAllowed) == std::string_view::npos;
}

auto reason(int status) -> std::string_view {
  static constexpr std::array<std::pair<int, std::string_view>, 19> kReasons = {
      {{200, "OK"},
       {204, "No Content"},
       {400, "Bad Request"},
       {403, "Forbidden"},
       {404, "Not Found"},
       {405, "Method Not Allowed"},
       {406, "Not Acceptable"},
       {408, "Request Timeout"},
       {411, "Length Required"},
       {413, "Content Too Large"},
       {414, "URI Too Long"},
       {415, "Unsupported Media Type"},
       {417, "Expectation Failed"},
       {431, "Request Header Fields Too Large"},
       {500, "Internal Server Error"},
       {501, "Not Implemented"},
       {503, "Service Unavailable"},
       {504, "Gateway Timeout"},
       {505, "HTTP Version Not Supported"}}};
  for (const auto& [number, words] : kReasons) {
    if (number == status) {
      return words;
    }
  }
  return "Unknown";
}

}  // namespace

auto find_route(const Head& head, const BrowserPolicy& policy, std::size_t max_body)
    -> std::variant<Route, Reply> {
  if (head.path == "/livez" || head.path == "/readyz") {
    if (head.method != "GET" && head.method != "HEAD") {
      return not_allowed("GET, HEAD");
    }
    return head.path == "/livez" ? Route::kLivez : Route::kReadyz;
  }
  if (head.path != "/query") {
    return error_reply(404, "not_found", "there is nothing at this path",
                       "POST /query runs SQL; GET /livez and GET /readyz tell how the server is");
  }
  if (auto refusal = check_browser(head, policy)) {
    return std::move(*refusal);
  }
  if (head.method == "OPTIONS") {
    return Route::kOptions;
  }
  if (head.method != "POST") {
    return not_allowed("POST, OPTIONS");
  }
  if (auto refusal = check_query(head, max_body)) {
    return std::move(*refusal);
  }
  return Route::kQuery;
}

auto cors_fields(const Head& head, const BrowserPolicy& policy) -> Fields {
  Fields fields;
  if (const auto origin = head.field("origin"); origin && policy.allows_origin(*origin)) {
    fields.emplace_back("Access-Control-Allow-Origin", *origin);
    fields.emplace_back("Access-Control-Expose-Headers",
                        "X-Request-Id, Retry-After, Query-Row-Count, Query-Truncated");
    fields.emplace_back("Vary", "Origin");
  }
  return fields;
}

auto options_reply(const Head& head) -> Reply {
  Reply reply;
  reply.status = 204;
  reply.content_type.clear();
  reply.headers.emplace_back("Allow", "POST, OPTIONS");
  if (head.field("origin")) {
    reply.headers.emplace_back("Access-Control-Allow-Methods", "POST");
    reply.headers.emplace_back("Access-Control-Allow-Headers",
                               "Content-Type, Accept, X-Request-Id");
    reply.headers.emplace_back("Access-Control-Max-Age", "600");
    if (head.field("access-control-request-private-network")) {
      reply.headers.emplace_back("Access-Control-Allow-Private-Network", "true");
    }
  }
  return reply;
}

auto request_id(const Head& head) -> std::string {
  if (const auto id = head.field("x-request-id"); id && is_harmless_id(*id)) {
    return std::string(*id);
  }
  thread_local std::mt19937_64 random((static_cast<std::uint64_t>(std::random_device{}()) << 32U) ^
                                      std::random_device{}());
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(random()));
  return text.data();
}

void write_response(std::string& out, const Reply& reply, const Envelope& envelope) {
  const auto add = [&out](std::string_view name, std::string_view value) {
    out.append(name).append(": ").append(value).append("\r\n");
  };
  out.append("HTTP/1.1 ").append(std::to_string(reply.status)).append(" ");
  out.append(reason(reply.status)).append("\r\n");
  if (!reply.content_type.empty()) {
    add("Content-Type", reply.content_type);
    add("Content-Length", std::to_string(reply.body.size()));
  }
  for (const auto& [name, value] : reply.headers) {
    add(name, value);
  }
  for (const auto& [name, value] : envelope.fields) {
    add(name, value);
  }
  add("X-Request-Id", envelope.id);
  out.append("X-Content-Type-Options: nosniff\r\n");
  if (envelope.close) {
    out.append("Connection: close\r\n");
  }
  out.append("\r\n");
  if (!envelope.without_body) {
    out.append(reply.body);
  }
}

}  // namespace query::server
