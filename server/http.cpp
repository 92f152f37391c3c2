#include "http.hpp"

#include <httplib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <exception>
#include <query/buffer.hpp>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "http_exchange.hpp"
#include "http_head.hpp"
#include "http_loop.hpp"
#include "http_refuse.hpp"
#include "http_route.hpp"
#include "http_socket.hpp"
#include "http_stream.hpp"
#include "http_workers.hpp"
#include "log.hpp"

namespace query::server {
namespace {

constexpr int kBacklog = 1024;

/// What this thread is serving: cpp-httplib's handlers have no room for it.
struct Serving {
  Exchange& exchange;
  Socket& socket;
};
thread_local Serving* current = nullptr;

/// Hands a reply to cpp-httplib.
void give(httplib::Response& response, Reply reply) {
  Exchange& exchange = current->exchange;
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
  const auto provide = [&exchange, &socket = current->socket, kept](std::size_t /*offset*/,
                                                                    httplib::DataSink& sink) {
    if (!send_rest(exchange, socket, *kept)) {
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

/// cpp-httplib's server with connections of our own: it keeps the listening socket, the routes, the
/// decompression of bodies and the writing of answers that threads give; the loops have the rest.
class HttpServer::Front final : public httplib::Server {
 public:
  Front(Service& service, HttpOptions options)
      : service_(service),
        options_(std::move(options)),
        policy_(options_.browser),
        workers_(options_.threads),
        refuser_([this](std::string_view head) { return refusal(head); }) {
    new_task_queue = [] { return new RunInPlace; };
    // Its own default, SO_REUSEPORT, lets two servers share a port without a word.
    set_socket_options([](socket_t fd) {
      const int on = 1;
      ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // accepted sockets inherit it
    });
    set_routes();
    const LoopContext context{
        .service = service_,
        .policy = policy_,
        .max_body = options_.max_body,
        .idle_timeout = options_.idle_timeout,
        .read_timeout = options_.read_timeout,
        .write_timeout = options_.write_timeout,
        .express = options_.express,
        .draining = draining_,
        .connections = connections_,
        .held = held_,
        .run = [this](std::function<void()> task) { return workers_.run(std::move(task)); },
        .serve = [this](Exchange& exchange, Socket& socket,
                        const std::string& remote) { serve(exchange, socket, remote); },
        .abort = abort_};
    for (std::size_t i = 0; i < options_.loops; ++i) {
      loops_.push_back(std::make_unique<Loop>(context));
    }
  }

  Front(const Front&) = delete;
  auto operator=(const Front&) -> Front& = delete;
  ~Front() override {
    stop_accepting();
    abort();
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
    for (const auto& loop : loops_) {
      loop->close_idle();
    }
  }
  auto wait_idle(Deadline deadline) -> bool {
    constexpr std::chrono::milliseconds kLook{2};
    const auto busy = [](const auto& loop) { return loop->busy() > 0; };
    while (std::any_of(loops_.begin(), loops_.end(), busy)) {
      if (std::chrono::steady_clock::now() >= deadline) {
        return false;
      }
      std::this_thread::sleep_for(kLook);
    }
    return workers_.wait_idle(deadline);
  }
  void abort() noexcept {
    abort_.raise();
    for (const auto& loop : loops_) {
      loop->abort();
    }
  }

 private:
  auto process_and_close_socket(socket_t fd) -> bool override {
    Descriptor socket(fd);
    if (stopped_ || connections_ >= options_.max_connections) {
      refuser_.take(std::move(socket));
    } else {
      loops_[next_loop_++ % loops_.size()]->adopt(std::move(socket));
    }
    return true;
  }

  void set_routes() {
    Post("/query", [this](const httplib::Request& /*request*/, httplib::Response& response,
                          const httplib::ContentReader& body) { on_query(response, body); });
    Get("/readyz", [this](const httplib::Request& /*request*/, httplib::Response& response) {
      give(response, service_.readyz());
    });
    set_exception_handler([](const httplib::Request& /*request*/, httplib::Response& response,
                             const std::exception_ptr& exception) {
      give(response, exception_reply(exception, {}));
    });
    set_error_handler([](const httplib::Request& /*request*/, httplib::Response& response) {
      if (response.body.empty()) {  // cpp-httplib's own refusal; ours come with a body
        give(response,
             error_reply(response.status, "bad_request", "the request could not be read"));
      }
    });
    set_post_routing_handler(
        [this](const httplib::Request& /*request*/, httplib::Response& response) {
          Exchange& exchange = current->exchange;
          exchange.close = exchange.close || draining_;  // it may have begun since the request came
          response.headers.erase("Keep-Alive");
          response.headers.erase("Accept-Ranges");
          if (exchange.close && !response.has_header("Connection")) {
            response.set_header("Connection", "close");
          }
          for (const auto& [name, value] : exchange.fields) {
            response.set_header(name, value);
          }
          response.set_header("X-Request-Id", exchange.id);
          response.set_header("X-Content-Type-Options", "nosniff");
        });
  }

  void on_query(httplib::Response& response, const httplib::ContentReader& reader) {
    Exchange& exchange = current->exchange;
    Socket& socket = current->socket;
    std::string body;
    body.reserve(exchange.body.size());
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
      give(response, too_large ? error_reply(413, "payload_too_large",
                                             "the body is larger than " +
                                                 std::to_string(options_.max_body) + " bytes")
                               : error_reply(400, "bad_request",
                                             "the body's compression could not be understood"));
      return;
    }
    Call call;
    call.body = body;
    call.accept = exchange.head.field("accept").value_or("");
    call.arrival = exchange.arrival;
    call.client_gone = [&client = socket] { return client.client_gone(); };
    // A little more than the query gets, so that its timeout can still be told.
    call.budget = [&client = socket](Deadline deadline) {
      client.write_deadline(deadline + std::chrono::seconds(1));
    };
    give(response, service_.query(call));
  }

  /// Lets cpp-httplib serve a request that has come whole.
  void serve(Exchange& exchange, Socket& socket, const std::string& remote) {
    RequestStream stream(socket, plain_head(exchange.head, exchange.body.size()), exchange.body);
    Serving serving{exchange, socket};
    current = &serving;
    const bool written =
        query::server::process_request(*this, &Front::process_request, stream, exchange.close);
    current = nullptr;
    if (!written) {
      exchange.close = true;
    }
    if (exchange.cut_off && exchange.head.http_1_0) {
      socket.reset();  // without chunks nothing else tells a cut from an end
    }
    exchange.close = !socket.flush() || exchange.close;
    exchange.sent = socket.sent();
    log_exchange(exchange, remote);
    flush_log();
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
    std::string response;
    query::server::write_response(
        response, reply,
        {.id = id, .fields = Fields(), .close = true, .without_body = head.method == "HEAD"});
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
    flush_log();
    return response;
  }

  Service& service_;
  const HttpOptions options_;
  const BrowserPolicy policy_;
  std::atomic<bool> draining_ = false;
  std::atomic<bool> stopped_ = false;
  std::atomic<std::size_t> connections_ = 0;
  std::atomic<std::size_t> held_ = 0;
  std::size_t next_loop_ = 0;
  Signal abort_;
  Workers workers_;  // its threads have ended before the loops go, to which they post
  std::vector<std::unique_ptr<Loop>> loops_;
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
