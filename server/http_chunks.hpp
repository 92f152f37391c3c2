#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace query::server {

/// Takes a chunked body apart as it arrives (RFC 9112, 7.1). Extensions and trailers are passed
/// over. One thread.
class ChunkReader {
 public:
  /// `most`: what the body, and what its framing, may weigh, in bytes.
  explicit ChunkReader(std::size_t most) : most_(most) {}

  enum class State : std::uint8_t { kMore, kDone, kMalformed, kTooLarge };

  /// Takes some of `input`, and appends what it holds to `body`. Returns how much was taken; all
  /// unless the body has ended or a line has not.
  auto take(std::string_view input, std::string& body) -> std::size_t;

  [[nodiscard]] auto state() const noexcept -> State { return state_; }

 private:
  enum class Part : std::uint8_t { kSize, kData, kDataEnd, kTrailer };

  void take_size(std::string_view line);

  std::size_t most_;
  State state_ = State::kMore;
  Part part_ = Part::kSize;
  std::uint64_t left_ = 0;     // of the chunk
  std::uint64_t framing_ = 0;  // weighed so far
};

}  // namespace query::server
