#include "http_exchange.hpp"

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

/// A chunk of a chunked body, straight from where it was made.
auto write_chunk(Socket& socket, std::string_view bytes) -> bool {
  std::array<char, 20> size{};
  const auto [end, error] = std::to_chars(size.data(), size.data() + 16, bytes.size(), 16);
  const std::string_view digits(size.data(), static_cast<std::size_t>(end - size.data()));
  return socket.write(digits) && socket.write("\r\n") && socket.write(bytes) &&
         socket.write("\r\n");
}

}  // namespace

void note(Exchange& exchange, const Reply& reply) {
  exchange.status = reply.status;
  exchange.rows = reply.rows;
  exchange.code = reply.code;
  exchange.detail = reply.detail;
}

void write_answer(std::string& out, Exchange& exchange, const Reply& reply) {
  note(exchange, reply);
  const std::size_t before = out.size();
  write_response(out, reply,
                 {.id = exchange.id,
                  .fields = exchange.fields,
                  .close = exchange.close,
                  .without_body = exchange.head.method == "HEAD"});
  exchange.sent = out.size() - before;
}

auto send_rest(Exchange& exchange, Socket& socket, Reply& reply) -> bool {
  const bool chunked = !exchange.head.http_1_0;
  const auto put = [&](std::string_view bytes) {
    return chunked ? write_chunk(socket, bytes) : socket.write(bytes);
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
    exchange.code = socket.client_gone() ? "client_gone" : error.code;
    exchange.detail = error.detail;
    return false;
  }
}

void log_exchange(const Exchange& exchange, std::string_view remote) {
  Served served;
  served.request_id = exchange.id;
  served.remote = remote;
  served.method = exchange.head.method;
  served.path = exchange.head.path;
  served.status = exchange.status;
  served.duration = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - exchange.arrival);
  served.bytes = exchange.sent;
  served.rows = exchange.rows;
  served.code = exchange.code;
  served.detail = exchange.detail;
  served.cut_off = exchange.cut_off;
  served.express = exchange.express;
  log_served(served);
}

}  // namespace query::server
