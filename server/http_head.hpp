#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace query::server {

/// The head of an HTTP/1 request: request line and header fields. Knows nothing of cpp-httplib,
/// whose own parser lets things through that two servers in a row may read differently.
struct Head {
  std::string method;
  std::string path;   ///< as sent, without the query
  std::string query;  ///< behind the question mark, as sent
  bool http_1_0 = false;
  std::vector<std::pair<std::string, std::string>> fields;  ///< names in lower case

  // What the fields say of the message itself.
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool expects_continue = false;
  bool close = false;  ///< the client will not send another request

  /// The value of a field; of several the first.
  [[nodiscard]] auto field(std::string_view name) const -> std::optional<std::string_view>;
  [[nodiscard]] auto has_body() const noexcept -> bool {
    return chunked || content_length.value_or(0) > 0;
  }
};

/// Why a head is refused.
struct HeadRefusal {
  int status = 400;
  std::string_view code = "bad_request";
  std::string message;
};

inline constexpr std::size_t kLongestHead = 32768;
inline constexpr std::size_t kLongestLine = 8000;  // below cpp-httplib's own limit
inline constexpr std::size_t kMostFields = 96;     // likewise

/// Where the head in `input` ends (one behind its empty line), or npos where more must come.
[[nodiscard]] auto find_head_end(std::string_view input) noexcept -> std::size_t;

/// Reads a whole head, strictly (RFC 9112); `head` is what was understood, even when refused.
[[nodiscard]] auto parse_head(std::string_view text, Head& head) -> std::optional<HeadRefusal>;

/// The head that cpp-httplib is given, for a body of `body` bytes without chunks: only what it
/// needs for reading that. It must not see the rest, which it would act upon: form and multipart
/// types, ranges, encodings of the answer.
[[nodiscard]] auto plain_head(const Head& head, std::size_t body) -> std::string;

}  // namespace query::server
