#include "http_reader.hpp"

#include <algorithm>
#include <utility>

namespace query::server {
namespace {

/// Up to this much of a refused request's body is read so that its connection can go on.
constexpr std::uint64_t kWorthReading = std::uint64_t{256} << 10;

}  // namespace

void RequestReader::feed(std::string_view bytes) {
  // What was consumed goes when nothing is left, or when it would be more than what is left.
  if (consumed_ > input_.size() / 2) {
    input_.erase(0, consumed_);
    consumed_ = 0;
  }
  input_ += bytes;
}

auto RequestReader::midway() const noexcept -> bool {
  return !ended_ && (begun_ || skip_ > 0 || consumed_ < input_.size());
}

auto RequestReader::owes_continue() noexcept -> bool {
  return std::exchange(owes_continue_, false);
}

void RequestReader::shrink() {
  if (consumed_ == input_.size()) {
    input_ = {};
    consumed_ = 0;
  }
}

auto RequestReader::next() -> std::optional<Incoming> {
  const auto skipped = static_cast<std::size_t>(std::min<std::uint64_t>(skip_, unread().size()));
  consumed_ += skipped;
  skip_ -= skipped;
  if (ended_ || skip_ > 0) {
    return std::nullopt;
  }
  return begun_ ? take_body() : begin();
}

auto RequestReader::begin() -> std::optional<Incoming> {
  while (unread().starts_with("\r\n")) {  // some old clients send an empty line behind a body
    consumed_ += 2;
  }
  const std::size_t end = find_head_end(unread());
  if (end == std::string_view::npos) {
    if (unread().size() <= kLongestHead) {
      return std::nullopt;
    }
    return give_up(error_reply(431, "headers_too_large", "the request's head is too large"));
  }
  current_ = {};
  Head& head = current_.head;
  const auto refusal = parse_head(unread().substr(0, end), head);
  consumed_ += end;
  if (refusal) {
    return give_up(error_reply(refusal->status, refusal->code, refusal->message));
  }
  current_.goal = find_route(head, *policy_, max_body_);
  if (auto* reply = std::get_if<Reply>(&current_.goal)) {
    return refuse(std::move(*reply));
  }
  const bool needs_body = std::get<Route>(current_.goal) == Route::kQuery;
  if (!needs_body && (head.chunked || head.content_length.value_or(0) > kWorthReading)) {
    return give_up(error_reply(413, "payload_too_large", "this path has no use for a body"));
  }
  if (head.chunked) {
    chunks_.emplace(max_body_);
  }
  begun_ = true;
  auto whole = take_body();
  owes_continue_ = !whole && head.expects_continue;
  return whole;
}

auto RequestReader::take_body() -> std::optional<Incoming> {
  if (chunks_) {
    consumed_ += chunks_->take(unread(), current_.body);
    switch (chunks_->state()) {
      case ChunkReader::State::kMore:
        return std::nullopt;
      case ChunkReader::State::kMalformed:
        return give_up(
            error_reply(400, "bad_request", "the body's chunks could not be understood"));
      case ChunkReader::State::kTooLarge:
        return give_up(
            error_reply(413, "payload_too_large",
                        "the body is larger than " + std::to_string(max_body_) + " bytes"));
      case ChunkReader::State::kDone:
        break;
    }
  } else {
    const auto length = static_cast<std::size_t>(current_.head.content_length.value_or(0));
    if (unread().size() < length) {
      return std::nullopt;
    }
    current_.body = unread().substr(0, length);
    consumed_ += length;
  }
  chunks_.reset();
  begun_ = false;
  return std::move(current_);
}

/// What is known from the head alone is answered at once. A short body is passed over then; the
/// client of a long one, or of one that it has not sent yet, has to begin anew.
auto RequestReader::refuse(Reply reply) -> Incoming {
  const Head& head = current_.head;
  const bool worth_reading =
      !head.chunked && !head.expects_continue && head.content_length.value_or(0) <= kWorthReading;
  if (head.has_body() && !worth_reading) {
    return give_up(std::move(reply));
  }
  skip_ = head.content_length.value_or(0);
  current_.goal = std::move(reply);
  return std::move(current_);
}

auto RequestReader::give_up(Reply reply) -> Incoming {
  ended_ = true;
  begun_ = false;
  chunks_.reset();
  current_.body.clear();
  current_.goal = std::move(reply);
  current_.last = true;
  return std::move(current_);
}

}  // namespace query::server
