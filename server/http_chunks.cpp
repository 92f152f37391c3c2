#include "http_chunks.hpp"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace query::server {
namespace {

constexpr std::size_t kLongestChunkLine = 4096;

}  // namespace

auto ChunkReader::take(std::string_view input, std::string& body) -> std::size_t {
  const std::size_t size = input.size();
  while (state_ == State::kMore && !input.empty()) {
    if (part_ == Part::kData) {
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size()));
      if (body.size() + count > most_) {
        state_ = State::kTooLarge;
        break;
      }
      body.append(input.substr(0, count));
      input.remove_prefix(count);
      left_ -= count;
      part_ = left_ == 0 ? Part::kDataEnd : Part::kData;
      continue;
    }
    const auto end = input.find('\n');
    if (end == std::string_view::npos) {
      if (input.size() > kLongestChunkLine) {
        state_ = State::kMalformed;
      }
      break;
    }
    std::string_view line = input.substr(0, end);
    input.remove_prefix(end + 1);
    framing_ += end + 1;
    if (!line.ends_with('\r') || framing_ > most_ + kLongestChunkLine) {
      state_ = State::kMalformed;
      break;
    }
    line.remove_suffix(1);
    switch (part_) {
      case Part::kSize:
        take_size(line);
        break;
      case Part::kDataEnd:
        state_ = line.empty() ? State::kMore : State::kMalformed;
        part_ = Part::kSize;
        break;
      case Part::kTrailer:
        state_ = line.empty() ? State::kDone : State::kMore;
        break;
      case Part::kData:
        break;
    }
  }
  return size - input.size();
}

void ChunkReader::take_size(std::string_view line) {
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), left_, 16);
  const std::string_view rest(end, static_cast<std::size_t>(line.data() + line.size() - end));
  const auto extension = rest.find_first_not_of(" \t");
  if (error != std::errc() || line.starts_with('-') ||
      (extension != std::string_view::npos && rest[extension] != ';')) {
    state_ = State::kMalformed;
  } else {
    part_ = left_ == 0 ? Part::kTrailer : Part::kData;
  }
}

}  // namespace query::server
