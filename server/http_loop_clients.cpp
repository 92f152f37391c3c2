// What a Loop does with one client: its requests, its answers, its end.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>
#include <variant>

#include "http_loop.hpp"

namespace query::server {
namespace {

constexpr std::size_t kMostTurns = 64;  // of one client at once
constexpr std::size_t kMostOutput = std::size_t{256} << 10;
/// How long a client may take to see its answer where nothing more is expected of it.
constexpr std::chrono::milliseconds kFarewell{2000};
/// Requests that have not come whole hold at most so many bytes, all together.
constexpr std::size_t kMostHeld = std::size_t{256} << 20;

}  // namespace

void Loop::add(Descriptor socket) {
  const Id id = ++next_id_;
  std::string remote = remote_address(socket);
  Client& client = clients_
                       .try_emplace(id, std::move(socket), std::move(remote),
                                    RequestReader(context_.policy, context_.max_body))
                       .first->second;
  on_event(id, client, EPOLLIN);  // as a rule the first request is there already
}

void Loop::touch(Id id, Client& client) {
  if (!std::exchange(client.touched, true)) {
    touched_.push_back(id);
  }
}

void Loop::on_event(Id id, Client& client, std::uint32_t events) {
  if (client.lingering) {
    discard(id, client);
  } else if (client.no_more && (events & (EPOLLERR | EPOLLHUP)) != 0) {
    close(id);
  } else {
    touch(id, client);
    if (!client.no_more && (events & ~std::uint32_t{EPOLLOUT}) != 0) {
      receive(id, client);
    }
  }
}

void Loop::receive(Id id, Client& client) {
  const ssize_t count =
      ::recv(client.socket.get(), received_.data(), received_.size(), MSG_DONTWAIT);
  if (count > 0) {
    if (client.request_began == never) {
      client.request_began = std::chrono::steady_clock::now();
    }
    client.reader.feed({received_.data(), static_cast<std::size_t>(count)});
    take_requests(id, client);
  } else if (count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
    client.no_more = true;
    if (client.turns.empty() || count < 0) {
      close(id);
    }
  }
}

auto Loop::take_requests(Id id, Client& client) -> bool {
  bool any = false;
  while (client.turns.size() < kMostTurns && !client.no_more) {
    auto incoming = client.reader.next();
    if (!incoming) {
      break;
    }
    any = true;
    begin_turn(id, client, std::move(*incoming));
    client.request_began =
        client.reader.midway() ? std::chrono::steady_clock::now() : Deadline(never);
  }
  count_held(client);
  return any;
}

void Loop::begin_turn(Id id, Client& client, Incoming incoming) {
  Turn turn{.exchange = {.head = std::move(incoming.head),
                         .body = std::move(incoming.body),
                         .arrival = client.request_began,
                         .id = {}}};
  Exchange& exchange = turn.exchange;
  exchange.id = request_id(exchange.head);
  exchange.fields = cors_fields(exchange.head, context_.policy);
  exchange.close = exchange.head.close || incoming.last || context_.draining;
  client.no_more = exchange.close;
  const auto answer = [&turn](const Reply& reply) {
    write_answer(turn.answer, turn.exchange, reply);
    turn.state = Turn::State::kAnswered;
  };
  if (const auto* reply = std::get_if<Reply>(&incoming.goal)) {
    answer(*reply);
  } else if (const Route route = std::get<Route>(incoming.goal); route == Route::kLivez) {
    answer(Service::livez());
  } else if (route == Route::kOptions) {
    answer(options_reply(exchange.head));
  } else if (route == Route::kQuery && context_.express) {
    const auto number = client.first_turn + static_cast<std::uint32_t>(client.turns.size());
    try_express(id << kTurnBits | (number & kTurnMask), turn);
  }
  client.turns.push_back(std::move(turn));
}

/// Puts a turn on the express lane if it may go there.
void Loop::try_express(std::uint64_t ticket, Turn& turn) {
  const Head& head = turn.exchange.head;
  if (head.field("content-encoding")) {
    return;
  }
  auto call = context_.service.may_share(turn.exchange.body, head.field("accept").value_or(""));
  if (!call) {
    return;
  }
  if (lane_.submit(ticket, *call)) {
    turn.state = Turn::State::kShared;
  } else if (lane_.wants_connection()) {
    open_lane();
  }
}

/// Sends what can be sent and decides what to wait for.
void Loop::look_after(Id id, Client& client) {
  if (client.lingering || client.away()) {
    return;
  }
  do {
    send_answers(client);
  } while (take_requests(id, client));
  if (!flush(client)) {
    return close(id);
  }
  if (client.output.empty() && !client.turns.empty() &&
      client.turns.front().state == Turn::State::kPrivate) {
    serve_elsewhere(id, client);
    if (client.away()) {
      return;
    }
    return look_after(id, client);
  }
  if (client.turns.empty() && client.output.empty() && client.no_more) {
    linger(client, kFarewell);
  }
  watch(id, client);
  set_deadline(client);
}

void Loop::send_answers(Client& client) {
  while (!client.turns.empty() && client.turns.front().state == Turn::State::kAnswered) {
    Turn& turn = client.turns.front();
    client.output += turn.answer;
    log_exchange(turn.exchange, client.remote);
    if (turn.exchange.close) {
      client.no_more = true;
    }
    client.end_turn();
  }
  if (client.turns.empty() && client.reader.owes_continue()) {
    client.output += "HTTP/1.1 100 Continue\r\n\r\n";
  }
}

/// False where the client cannot be reached any more.
auto Loop::flush(Client& client) -> bool {
  std::size_t sent = 0;
  while (sent < client.output.size()) {
    const ssize_t count = ::send(client.socket.get(), client.output.data() + sent,
                                 client.output.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0 && errno != EINTR) {
      if (errno != EAGAIN && errno != EWOULDBLOCK) {
        return false;
      }
      break;
    }
    sent += static_cast<std::size_t>(std::max<ssize_t>(count, 0));
  }
  const bool waited = std::exchange(client.stalled, sent < client.output.size());
  client.output.erase(0, sent);
  if (client.stalled && (sent > 0 || !waited)) {
    client.deadline = after(context_.write_timeout);
  }
  return true;
}

/// Gives the first turn, and the connection with it, to a thread that may wait.
void Loop::serve_elsewhere(Id id, Client& client) {
  struct Errand {
    Socket socket;
    Exchange exchange;
    std::string remote;
  };
  Turn& turn = client.turns.front();
  turn.state = Turn::State::kAway;
  watch(id, client);
  const auto errand = std::make_shared<Errand>(Errand{
      .socket = Socket(std::move(client.socket), {.write = context_.write_timeout}, context_.abort),
      .exchange = std::move(turn.exchange),
      .remote = client.remote});
  const bool served = context_.run([this, id, errand] {
    context_.serve(errand->exchange, errand->socket, errand->remote);
    post([this, id, errand] { come_back(id, errand->socket.release(), errand->exchange.close); });
  });
  if (!served) {
    client.socket = errand->socket.release();
    turn.exchange = std::move(errand->exchange);
    write_answer(turn.answer, turn.exchange,
                 error_reply(503, "busy", "too many requests are waiting; try again soon"));
    turn.state = Turn::State::kAnswered;
  }
}

/// A thread has answered the first turn; `last`: it was the connection's last.
void Loop::come_back(Id id, Descriptor socket, bool last) {
  const auto found = clients_.find(id);
  if (found == clients_.end()) {
    return;
  }
  Client& client = found->second;
  client.socket = std::move(socket);
  client.end_turn();
  client.no_more = client.no_more || last;
  if (client.socket.get() < 0 || aborted_) {
    return close(id);
  }
  if (last) {
    client.turns.clear();
  }
  touch(id, client);
}

/// Ends the connection so that the client gets all that was written even while it still sends:
/// closing at once would make the kernel take it back.
void Loop::linger(Client& client, std::chrono::milliseconds patience) {
  client.lingering = true;
  client.reader.shrink();
  client.deadline = after(patience);
  ::shutdown(client.socket.get(), SHUT_WR);
  --busy_;
}

void Loop::discard(Id id, Client& client) {
  for (int i = 0; i < 16; ++i) {
    const ssize_t count =
        ::recv(client.socket.get(), received_.data(), received_.size(), MSG_DONTWAIT);
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) {
      return close(id);
    }
    if (count < 0) {
      return;
    }
  }
}

void Loop::watch(Id id, Client& client) {
  std::uint32_t events = 0;
  if (!client.away()) {
    const bool reads = client.lingering || (!client.no_more && client.turns.size() < kMostTurns &&
                                            client.output.size() < kMostOutput);
    events =
        (reads ? EPOLLIN | EPOLLRDHUP : 0U) | (client.output.empty() ? 0U : EPOLLOUT) | EPOLLHUP;
  }
  if (events != client.watched) {
    const int what = events == 0           ? EPOLL_CTL_DEL
                     : client.watched == 0 ? EPOLL_CTL_ADD
                                           : EPOLL_CTL_MOD;
    epoll_event event{.events = events, .data = {.u64 = id}};
    ::epoll_ctl(epoll_.get(), what, client.socket.get(), &event);
    client.watched = events;
  }
}

void Loop::set_deadline(Client& client) {
  if (client.lingering || !client.output.empty()) {
    return;  // set when the last byte was taken
  }
  if (!client.turns.empty()) {
    client.deadline = never;
  } else if (client.request_began != never) {
    client.deadline = client.request_began + context_.read_timeout;
  } else {
    client.deadline = after(context_.idle_timeout);
  }
}

void Loop::count_held(Client& client) {
  constexpr std::size_t kNotWorthCounting = std::size_t{64} << 10;
  const std::size_t now = client.reader.midway() ? client.reader.held() : 0;
  const std::size_t counted = now > kNotWorthCounting ? now : 0;
  if (counted == client.held) {
    return;
  }
  const std::size_t all = context_.held += counted - client.held;
  client.held = counted;
  if (all > kMostHeld && counted > 0) {
    context_.held -= std::exchange(client.held, 0);
    begin_turn(0, client,
               client.reader.give_up(error_reply(
                   503, "busy", "too many large requests are on the way; try again soon")));
  }
}

void Loop::close(Id id) {
  const auto found = clients_.find(id);
  Client& client = found->second;
  context_.held -= client.held;
  busy_ -= client.lingering ? 0 : 1;
  --context_.connections;
  clients_.erase(found);  // closing the descriptor takes it out of epoll
}

/// The wait for a client has ended.
void Loop::expire(Id id, Client& client) {
  if (!aborted_ && !client.lingering && client.idle()) {
    on_event(id, client, EPOLLIN);  // what it has sent already still counts
    if (!clients_.contains(id) || !client.idle()) {
      return;
    }
  }
  if (aborted_ || client.lingering || client.idle() || !client.output.empty() ||
      !client.turns.empty()) {
    return close(id);
  }
  begin_turn(id, client,
             client.reader.give_up(
                 error_reply(408, "request_timeout", "the request did not arrive in its time")));
  touch(id, client);
}

}  // namespace query::server
