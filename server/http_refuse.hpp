#pragma once

#include <functional>
#include <mutex>
#include <query/deadline.hpp>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "http_socket.hpp"

namespace query::server {

/// Answers connections for which there is no thread, all of them on one of its own: reads a
/// request's head, sends what `answer` makes of it, and closes. Each gets a second, and more than
/// a few hundred at once are closed unanswered. Thread-safe.
class Refuser {
 public:
  using Answer = std::function<std::string(std::string_view head)>;

  explicit Refuser(Answer answer);
  Refuser(const Refuser&) = delete;
  auto operator=(const Refuser&) -> Refuser& = delete;
  ~Refuser();

  void take(Descriptor socket);

 private:
  struct Refused {
    Descriptor socket;
    Deadline deadline;
    std::string input;
    bool answered = false;
  };
  void run();
  void collect_new(std::vector<Refused>& refused);
  /// False when the connection is done with.
  auto serve(Refused& one) const -> bool;

  Answer answer_;
  Signal stop_;
  Signal wake_;
  std::mutex mutex_;
  std::vector<Descriptor> new_;
  std::thread thread_;
};

}  // namespace query::server
