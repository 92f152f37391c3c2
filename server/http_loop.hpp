#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "browser.hpp"
#include "express_lane.hpp"
#include "http_client.hpp"
#include "http_socket.hpp"
#include "service.hpp"

namespace query::server {

/// What the loops of a server have in common. Everything must stay.
struct LoopContext {
  Service& service;
  const BrowserPolicy& policy;
  std::size_t max_body;
  std::chrono::milliseconds idle_timeout;
  std::chrono::milliseconds read_timeout;
  std::chrono::milliseconds write_timeout;
  bool express;  ///< whether there is a connection to the database for an express lane

  const std::atomic<bool>& draining;      ///< every answer ends its connection
  std::atomic<std::size_t>& connections;  ///< open, those being ended included
  std::atomic<std::size_t>& held;         ///< bytes of requests that have not come whole

  /// Runs a task on a thread that may wait; false where there is none.
  std::function<bool(std::function<void()>)> run;
  /// Serves a request on such a thread.
  std::function<void(Exchange&, Socket&, const std::string& remote)> serve;
  const Signal& abort;
};

/// One thread with many clients: reads their requests, answers at once what it can, sends through
/// its express lane what may go there, and gives the rest to threads that may wait. Nothing here
/// waits for a single client or statement.
class Loop {
 public:
  explicit Loop(const LoopContext& context);
  Loop(const Loop&) = delete;
  auto operator=(const Loop&) -> Loop& = delete;
  ~Loop();

  // Callable from any thread.

  /// Takes a new connection.
  void adopt(Descriptor socket);
  /// Closes the clients without a request, now and from now on.
  void close_idle() noexcept;
  /// Closes all.
  void abort() noexcept;
  /// Clients that are owed something, or may still be.
  [[nodiscard]] auto busy() const noexcept -> std::size_t { return busy_; }

 private:
  using Id = std::uint64_t;

  void run();
  void post(std::function<void()> task);
  void take_posts();

  // Clients.
  void add(Descriptor socket);
  void on_event(Id id, Client& client, std::uint32_t events);
  void receive(Id id, Client& client);
  auto take_requests(Id id, Client& client) -> bool;
  void begin_turn(Id id, Client& client, Incoming incoming);
  void try_express(std::uint64_t ticket, Turn& turn);
  void look_after(Id id, Client& client);
  static void send_answers(Client& client);
  auto flush(Client& client) -> bool;
  void serve_elsewhere(Id id, Client& client);
  void come_back(Id id, Descriptor socket, bool last);
  void linger(Client& client, std::chrono::milliseconds patience);
  void discard(Id id, Client& client);
  void watch(Id id, Client& client);
  void set_deadline(Client& client);
  void count_held(Client& client);
  void close(Id id);
  void touch(Id id, Client& client);
  void sweep();
  void expire(Id id, Client& client);

  // The express lane.
  void turn_lane();
  void open_lane();
  void watch_lane();
  void arrive(ExpressLane::Arrival arrival);

  const LoopContext context_;
  Descriptor epoll_;
  Signal wake_;
  std::mutex mutex_;
  std::vector<std::function<void()>> posts_;  // under the mutex

  std::unordered_map<Id, Client> clients_;
  Id next_id_ = 0;
  std::vector<Id> touched_;
  std::array<char, 65536> received_;  // of one client, until its reader has it
  ExpressLane lane_;
  int lane_socket_ = -1;
  std::uint32_t lane_watched_ = 0;
  Deadline next_sweep_{};
  bool closing_idle_ = false;
  bool aborted_ = false;
  bool stopping_ = false;
  std::atomic<std::size_t> busy_ = 0;
  std::thread thread_;
};

}  // namespace query::server
