#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include <query/deadline.hpp>

#include "http_exchange.hpp"
#include "http_reader.hpp"
#include "http_socket.hpp"

namespace query::server {

/// One request of a client, until its answer is on the way.
struct Turn {
  enum class State : std::uint8_t {
    kShared,    ///< in the express lane
    kPrivate,   ///< to be served by a thread that may wait
    kAway,      ///< being served so
    kAnswered,  ///< `answer` can be sent
  };
  Exchange exchange;
  State state = State::kPrivate;
  std::string answer{};
};

/// A turn's name towards the express lane: the client's number and, in the low bits, its own.
inline constexpr unsigned kTurnBits = 20;
inline constexpr std::uint32_t kTurnMask = (1U << kTurnBits) - 1;

/// A client's connection as a loop keeps it. Answers leave in the order of the requests.
struct Client {
  Client(Descriptor connection, std::string address, RequestReader incoming)
      : socket(std::move(connection)), remote(std::move(address)), reader(std::move(incoming)) {}

  Descriptor socket;  ///< a thread has it while a turn is away
  std::string remote;
  RequestReader reader;

  std::deque<Turn> turns;
  std::uint32_t first_turn = 0;  ///< the number of the first of these; counts around

  std::string output;      ///< not taken by the socket yet
  bool stalled = false;    ///< the client is slow to take it
  bool touched = false;    ///< to be looked after before the loop sleeps
  bool no_more = false;    ///< nothing more is read: the client has ended, or its last turn is here
  bool lingering = false;  ///< all is said; the client's own end is waited for
  std::uint32_t watched = 0;  ///< the events that epoll was told to watch; 0: not there
  std::size_t held = 0;       ///< what was counted of the reader's memory

  Deadline deadline = never;       ///< of the present wait
  Deadline request_began = never;  ///< when the first byte of the request came that is read now

  /// The first turn's answer is on the way.
  void end_turn() {
    turns.pop_front();
    ++first_turn;
    if (request_began != never) {  // what came meanwhile has its time from now on
      request_began = std::chrono::steady_clock::now();
    }
  }

  [[nodiscard]] auto away() const noexcept -> bool {
    return !turns.empty() && turns.front().state == Turn::State::kAway;
  }
  [[nodiscard]] auto idle() const noexcept -> bool {
    return turns.empty() && output.empty() && !reader.midway();
  }
};

}  // namespace query::server
