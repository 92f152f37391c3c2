#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "browser.hpp"
#include "http_chunks.hpp"
#include "http_head.hpp"
#include "http_route.hpp"
#include "response.hpp"

namespace query::server {

/// A request as it came, whole, or with the reason why it goes nowhere.
struct Incoming {
  Head head;
  std::string body{};                 ///< without its chunks; compressed as Content-Encoding says
  std::variant<Route, Reply> goal{};  ///< where to, or what to answer at once
  bool last = false;                  ///< nothing that may follow can be understood
};

/// Bytes in, requests out: the reading of HTTP/1 from a connection that many requests share. Knows
/// no sockets and never waits. One thread.
class RequestReader {
 public:
  /// `policy` must stay.
  RequestReader(const BrowserPolicy& policy, std::size_t max_body)
      : policy_(&policy), max_body_(max_body) {}

  /// Takes in what the connection has given.
  void feed(std::string_view bytes);

  /// The next request; nothing where more must come, or after the last.
  [[nodiscard]] auto next() -> std::optional<Incoming>;

  /// Ends the request that has not come whole with this answer; it is the last.
  [[nodiscard]] auto give_up(Reply reply) -> Incoming;

  /// A request has begun and has not come whole.
  [[nodiscard]] auto midway() const noexcept -> bool;

  /// The client waits for 100 Continue before it sends the body. True once.
  [[nodiscard]] auto owes_continue() noexcept -> bool;

  /// How much memory is held for what has not come whole.
  [[nodiscard]] auto held() const noexcept -> std::size_t { return input_.size() + body().size(); }

  /// Gives back memory that is not needed at the moment.
  void shrink();

 private:
  auto begin() -> std::optional<Incoming>;
  auto take_body() -> std::optional<Incoming>;
  [[nodiscard]] auto refuse(Reply reply) -> Incoming;
  [[nodiscard]] auto unread() const noexcept -> std::string_view {
    return std::string_view(input_).substr(consumed_);
  }
  [[nodiscard]] auto body() const noexcept -> const std::string& { return current_.body; }

  const BrowserPolicy* policy_;
  std::size_t max_body_;
  std::string input_;
  std::size_t consumed_ = 0;
  std::size_t end_ = 0;     // of what was received
  std::uint64_t skip_ = 0;  // of a refused request's body
  bool begun_ = false;      // `current_` has its head and waits for its body
  bool ended_ = false;
  bool owes_continue_ = false;
  Incoming current_;
  std::optional<ChunkReader> chunks_;
};

}  // namespace query::server
