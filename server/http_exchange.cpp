#include "http_exchange.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <exception>

#include <query/buffer.hpp>

#include "log.hpp"
#include "service.hpp"

namespace query::server {
namespace {

constexpr std::size_t kChunk = std::size_t{64} << 10;
/// Up to this much of a refused request's body is read so that its connection can go on.
constexpr std::uint64_t kWorthReading = std::uint64_t{256} << 10;

/// A chunk of a chunked body, straight from where it was made.
auto write_chunk(Socket& socket, std::string_view bytes) -> bool {
  std::array<char, 20> size{};
  const auto [end, error] = std::to_chars(size.data(), size.data() + 16, bytes.size(), 16);
  const std::string_view digits(size.data(), static_cast<std::size_t>(end - size.data()));
  return socket.write(digits) && socket.write("\r\n") && socket.write(bytes) &&
         socket.write("\r\n");
}

auto skip(Exchange& exchange, std::uint64_t count) -> bool {
  std::array<char, 4096> bytes;
  while (count > 0) {
    const std::size_t read = exchange.socket.read(
        bytes.data(), static_cast<std::size_t>(std::min<std::uint64_t>(count, bytes.size())),
        exchange.read_deadline);
    if (read == 0) {
      exchange.close = true;
      return false;
    }
    count -= read;
  }
  return true;
}

}  // namespace

void note(Exchange& exchange, const Reply& reply) {
  exchange.status = reply.status;
  exchange.rows = reply.rows;
  exchange.code = reply.code;
  exchange.detail = reply.detail;
}

auto receive_head(Exchange& exchange, std::optional<HeadRefusal>& refusal) -> bool {
  Socket& socket = exchange.socket;
  while (true) {
    // Some old clients send an empty line behind a body.
    while (socket.buffered().starts_with("\r\n")) {
      socket.consume(2);
    }
    const std::string_view input = socket.buffered();
    const std::size_t end = find_head_end(input);
    if (end != std::string_view::npos) {
      refusal = parse_head(input.substr(0, end), exchange.head);
      socket.consume(end);
      return true;
    }
    if (input.size() > kLongestHead) {
      refusal = HeadRefusal{431, "headers_too_large", "the request's head is too large"};
      return true;
    }
    switch (socket.fill(exchange.read_deadline)) {
      case Socket::Input::kData:
        if (std::chrono::steady_clock::now() < exchange.read_deadline) {
          break;
        }
        [[fallthrough]];  // a trickle is no excuse
      case Socket::Input::kTimeout:
        refusal = HeadRefusal{408, "request_timeout", "the request did not arrive in its time"};
        return true;
      case Socket::Input::kEnd:
      case Socket::Input::kStopped:
        return false;
    }
  }
}

void answer(Exchange& exchange, const Reply& reply) {
  note(exchange, reply);
  Fields fields = exchange.fields;
  if (exchange.close) {
    fields.emplace_back("Connection", "close");
  }
  exchange.socket.write(plain_response(reply, fields, exchange.head.method == "HEAD"));
}

auto pass_over_body(Exchange& exchange, const Reply& reply) -> bool {
  const Head& head = exchange.head;
  const bool worth_reading =
      !head.chunked && !head.expects_continue && head.content_length.value_or(0) <= kWorthReading;
  if (head.has_body() && !worth_reading) {
    exchange.close = true;
  }
  answer(exchange, reply);
  return worth_reading ? skip(exchange, head.content_length.value_or(0)) : !head.has_body();
}

auto send_rest(Exchange& exchange, Reply& reply) -> bool {
  const bool chunked = !exchange.head.http_1_0;
  const auto put = [&](std::string_view bytes) {
    return chunked ? write_chunk(exchange.socket, bytes) : exchange.socket.write(bytes);
  };
  try {
    bool written = put(reply.body);
    reply.body = {};
    Buffer buffer;
    for (bool more = true; more && written;) {
      buffer.clear();
      more = reply.rest->read(buffer, kChunk);
      written = buffer.empty() || put(buffer.view());
    }
    exchange.rows = reply.rest->row_count();
    if (!written) {
      exchange.code = "client_gone";
    }
    return written;
  } catch (...) {
    exchange.rows = reply.rest->row_count();
    const Reply error = Service::late_error(std::current_exception());
    exchange.code = exchange.socket.client_gone() ? "client_gone" : error.code;
    exchange.detail = error.detail;
    return false;
  }
}

void log_exchange(const Exchange& exchange, std::string_view remote, std::uint64_t sent_before) {
  Served served;
  served.request_id = exchange.id;
  served.remote = remote;
  served.method = exchange.head.method;
  served.path = exchange.head.path;
  served.status = exchange.status;
  served.duration = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - exchange.arrival);
  served.bytes = exchange.socket.sent() - sent_before;
  served.rows = exchange.rows;
  served.code = exchange.code;
  served.detail = exchange.detail;
  served.cut_off = exchange.cut_off;
  log_served(served);
}

}  // namespace query::server
