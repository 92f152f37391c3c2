#include "http.hpp"

#include <httplib.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <exception>
#include <query/buffer.hpp>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>

#include "http_exchange.hpp"
#include "http_head.hpp"
#include "http_refuse.hpp"
#include "http_route.hpp"
#include "http_socket.hpp"
#include "http_stream.hpp"
#include "http_workers.hpp"
#include "log.hpp"

namespace query::server {
namespace {

constexpr int kBacklog = 1024;
/// How long a refused client may take to see its answer where nothing more is expected of it.
constexpr std::chrono::milliseconds kFarewell{2000};

/// The request that this thread is serving: cpp-httplib's handlers have no room for it.
thread_local Exchange* current = nullptr;

/// Hands a reply to cpp-httplib.
void give(Exchange& exchange, httplib::Response& response, Reply reply) {
  note(exchange, reply);
  response.status = reply.status;
  for (const auto& [name, value] : reply.headers) {
    response.set_header(name, value);
  }
  if (!reply.rest) {
    if (!reply.content_type.empty()) {
      response.body = std::move(reply.body);
      response.set_header("Content-Type", reply.content_type);
    }
    return;
  }
  const auto kept = std::make_shared<Reply>(std::move(reply));
  const auto provide = [&exchange, kept](std::size_t /*offset*/, httplib::DataSink& sink) {
    if (!send_rest(exchange, *kept)) {
      exchange.cut_off = true;
      return false;
    }
    sink.done();
    return true;
  };
  if (exchange.head.http_1_0) {  // knows no chunks: the connection's end is the body's
    exchange.close = true;
    response.set_content_provider(kept->content_type, provide);
  } else {
    response.set_chunked_content_provider(kept->content_type, provide);
  }
}

}  // namespace

/// cpp-httplib's server with connections of our own: it keeps the listening socket, the reading
/// of bodies, the routes and the writing of answers; the sockets, threads and waits are ours.
class HttpServer::Front final : public httplib::Server {
 public:
  Front(Service& service, HttpOptions options)
      : service_(service),
        options_(std::move(options)),
        policy_(options_.browser),
        workers_(options_.max_connections),
        refuser_([this](std::string_view head) { return refusal(head); }) {
    new_task_queue = [] { return new RunInPlace; };
    // Its own default, SO_REUSEPORT, lets two servers share a port without a word.
    set_socket_options([](socket_t fd) {
      const int on = 1;
      ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    });
    set_routes();
  }

  Front(const Front&) = delete;
  auto operator=(const Front&) -> Front& = delete;
  ~Front() override {
    stop_accepting();
    abort_.raise();
    (void)workers_.finish(never);
  }

  auto bind() -> std::uint16_t {
    const Address& address = options_.address;
    errno = 0;
    const int port = address.port == 0                          ? bind_to_any_port(address.host)
                     : bind_to_port(address.host, address.port) ? address.port
                                                                : -1;
    if (port <= 0) {
      const int error = errno;
      throw std::runtime_error(
          "cannot listen on " + address.text() + ": " +
          (error == 0 ? "no such address" : std::generic_category().message(error)));
    }
    ::listen(svr_sock_, kBacklog);  // cpp-httplib's own backlog is 5
    return static_cast<std::uint16_t>(port);
  }

  void run() { (void)listen_after_bind(); }
  void drain() noexcept { draining_ = true; }
  void stop_accepting() noexcept {
    // Not stop(): after that cpp-httplib would cut off the answers that are being written. Only
    // once: when run() has ended, the number may be another socket's.
    if (!stopped_.exchange(true)) {
      ::shutdown(svr_sock_, SHUT_RDWR);
    }
    closing_.raise();
  }
  auto wait_idle(Deadline deadline) -> bool { return workers_.wait_idle(deadline); }
  void abort() noexcept { abort_.raise(); }

 private:
  auto process_and_close_socket(socket_t fd) -> bool override {
    auto socket = std::make_shared<Descriptor>(fd);
    if (!workers_.run([this, socket] { serve(std::move(*socket)); })) {
      refuser_.take(std::move(*socket));
    }
    return true;
  }

  void set_routes() {
    Post("/query", [this](const httplib::Request& /*request*/, httplib::Response& response,
                          const httplib::ContentReader& body) { on_query(response, body); });
    Options("/query", [](const httplib::Request& /*request*/, httplib::Response& response) {
      give(*current, response, options_reply(current->head));
    });
    Get("/livez", [](const httplib::Request& /*request*/, httplib::Response& response) {
      give(*current, response, Service::livez());
    });
    Get("/readyz", [this](const httplib::Request& /*request*/, httplib::Response& response) {
      give(*current, response, service_.readyz());
    });
    set_exception_handler([](const httplib::Request& /*request*/, httplib::Response& response,
                             const std::exception_ptr& exception) {
      give(*current, response, exception_reply(exception, {}));
    });
    set_error_handler([](const httplib::Request& /*request*/, httplib::Response& response) {
      if (response.body.empty()) {  // cpp-httplib's own refusal; ours come with a body
        current->close = true;
        give(*current, response,
             error_reply(response.status, "bad_request", "the request could not be read"));
      }
    });
    set_post_routing_handler(
        [this](const httplib::Request& /*request*/, httplib::Response& response) {
          current->close = current->close || draining_;  // it may have begun since the request came
          response.headers.erase("Keep-Alive");
          response.headers.erase("Accept-Ranges");
          if (current->close && !response.has_header("Connection")) {
            response.set_header("Connection", "close");
          }
          if (response.status == 204) {
            response.headers.erase("Content-Length");
          }
          for (const auto& [name, value] : current->fields) {
            response.set_header(name, value);
          }
        });
  }

  void on_query(httplib::Response& response, const httplib::ContentReader& reader) {
    Exchange& exchange = *current;
    std::string body;
    body.reserve(static_cast<std::size_t>(exchange.head.content_length.value_or(0)));
    bool too_large = false;
    const bool whole = reader([&](const char* bytes, std::size_t size) {
      too_large = body.size() + size > options_.max_body;
      if (!too_large) {
        body.append(bytes, size);
      }
      return !too_large;
    });
    if (!whole) {
      exchange.close = true;
      give(exchange, response, broken_body(exchange, too_large));
      return;
    }
    Socket& socket = exchange.socket;
    Call call;
    call.body = body;
    call.accept = exchange.head.field("accept").value_or("");
    call.arrival = exchange.arrival;
    call.client_gone = [&socket] { return socket.client_gone(); };
    // A little more than the query gets, so that its timeout can still be told.
    call.budget = [&socket](Deadline deadline) {
      socket.write_deadline(deadline + std::chrono::seconds(1));
    };
    give(exchange, response, service_.query(call));
  }

  [[nodiscard]] auto broken_body(const Exchange& exchange, bool too_large) const -> Reply {
    if (too_large) {
      return error_reply(413, "payload_too_large",
                         "the body is larger than " + std::to_string(options_.max_body) + " bytes");
    }
    switch (exchange.socket.input()) {
      case Socket::Input::kTimeout:
        return error_reply(408, "request_timeout", "the request did not arrive in its time");
      case Socket::Input::kStopped:
        return error_reply(503, "unavailable", "the server is shutting down");
      case Socket::Input::kEnd:
        return error_reply(400, "bad_request", "the body ended before its announced length");
      case Socket::Input::kData:
        break;
    }
    return error_reply(400, "bad_request",
                       "the body's chunks or its compression could not be understood");
  }

  /// A connection's life.
  void serve(Descriptor descriptor) {
    Socket socket(std::move(descriptor), {.write = options_.write_timeout}, abort_);
    const std::string remote = socket.remote();
    while (serve_one(socket, remote)) {
    }
  }

  /// One request; false when the connection has ended.
  auto serve_one(Socket& socket, const std::string& remote) -> bool {
    if (socket.wait_for_request(after(options_.idle_timeout), closing_) != Socket::Input::kData) {
      return false;
    }
    const Deadline arrival = std::chrono::steady_clock::now();
    const std::uint64_t sent_before = socket.sent();
    Exchange exchange{.socket = socket,
                      .head = {},
                      .arrival = arrival,
                      .read_deadline = arrival + options_.read_timeout,
                      .id = {},
                      .fields = {}};
    socket.write_deadline(never);
    std::optional<HeadRefusal> refusal;
    if (!receive_head(exchange, refusal)) {
      return false;
    }
    exchange.id = request_id(exchange.head);
    exchange.close = exchange.head.close || exchange.head.chunked || draining_;
    exchange.fields = cors_fields(exchange.head, policy_);
    exchange.fields.emplace_back("X-Request-Id", exchange.id);
    exchange.fields.emplace_back("X-Content-Type-Options", "nosniff");

    bool linger = false;
    if (refusal) {
      exchange.close = true;
      linger = true;
      answer(exchange, error_reply(refusal->status, refusal->code, refusal->message));
    } else {
      auto route = find_route(exchange.head, policy_, options_.max_body);
      if (auto* reply = std::get_if<Reply>(&route)) {
        linger = !pass_over_body(exchange, *reply);
      } else {
        linger = !process(exchange);
      }
    }
    (void)socket.flush();
    log_exchange(exchange, remote, sent_before);
    if (linger && !exchange.cut_off) {
      socket.close_gently(after(exchange.head.has_body() ? options_.read_timeout : kFarewell));
    }
    return !exchange.close && socket.flush();
  }

  /// Lets cpp-httplib serve the request; false where some of its body is still to come.
  auto process(Exchange& exchange) -> bool {
    RequestStream stream(exchange.socket, exchange.head, options_.max_body, exchange.read_deadline);
    current = &exchange;
    const bool written =
        query::server::process_request(*this, &Front::process_request, stream, exchange.close);
    current = nullptr;
    if (!written) {
      exchange.close = true;
    }
    if (exchange.cut_off && exchange.head.http_1_0) {
      exchange.socket.reset();  // without chunks nothing else tells a cut from an end
    }
    return exchange.head.chunked ? !exchange.close : stream.body_left() == 0;
  }

  /// The answer to a connection beyond the limit. The probes are answered even then: a server
  /// that is busy must not be restarted for it.
  auto refusal(std::string_view text) const -> std::string {
    const Deadline start = std::chrono::steady_clock::now();
    Head head;
    (void)parse_head(text, head);
    Reply reply = error_reply(503, "busy", "the server has too many connections; try again soon");
    const auto route = find_route(head, policy_, options_.max_body);
    if (const auto* which = std::get_if<Route>(&route)) {
      reply = *which == Route::kLivez    ? Service::livez()
              : *which == Route::kReadyz ? service_.readyz_now()
                                         : std::move(reply);
    }
    const std::string id = request_id(head);
    std::string response = plain_response(reply, {{"X-Request-Id", id}, {"Connection", "close"}},
                                          head.method == "HEAD");
    Served served;
    served.request_id = id;
    served.method = head.method;
    served.path = head.path;
    served.status = reply.status;
    served.duration = std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::steady_clock::now() - start);
    served.bytes = response.size();
    served.code = reply.code;
    log_served(served);
    return response;
  }

  Service& service_;
  const HttpOptions options_;
  const BrowserPolicy policy_;
  std::atomic<bool> draining_ = false;
  std::atomic<bool> stopped_ = false;
  Signal closing_;
  Signal abort_;
  Workers workers_;
  Refuser refuser_;
};

HttpServer::HttpServer(Service& service, HttpOptions options)
    : front_(std::make_unique<Front>(service, std::move(options))) {}
HttpServer::~HttpServer() = default;
auto HttpServer::bind() -> std::uint16_t { return front_->bind(); }
void HttpServer::run() { front_->run(); }
void HttpServer::drain() noexcept { front_->drain(); }
void HttpServer::stop_accepting() noexcept { front_->stop_accepting(); }
auto HttpServer::wait_idle(Deadline deadline) -> bool { return front_->wait_idle(deadline); }
void HttpServer::abort() noexcept { front_->abort(); }

}  // namespace query::server
