#include "http_head.hpp"

#include <algorithm>
#include <charconv>

namespace query::server {
namespace {

constexpr std::string_view kToken =
    "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

auto is_token(std::string_view text) -> bool {
  return !text.empty() && text.find_first_not_of(kToken) == std::string_view::npos;
}

auto lower(std::string_view text) -> std::string {
  std::string out(text);
  for (char& c : out) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

auto trim(std::string_view text) -> std::string_view {
  const auto first = text.find_first_not_of(" \t");
  return first == std::string_view::npos
             ? std::string_view()
             : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

auto is_visible(char c) -> bool { return c > 0x20 && c < 0x7f; }

/// A field's value: anything but control characters.
auto is_value_byte(char c) -> bool {
  const auto byte = static_cast<unsigned char>(c);
  return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

auto parse_request_line(std::string_view line, Head& head) -> std::optional<HeadRefusal> {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return HeadRefusal{.message = "the request line is not METHOD PATH HTTP/1.1"};
  }
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(method) || target.empty() ||
      !std::all_of(target.begin(), target.end(), is_visible)) {
    return HeadRefusal{.message = "the request line is not METHOD PATH HTTP/1.1"};
  }
  head.method = method;
  const std::string_view resource = target.substr(0, target.find('#'));
  const auto question = resource.find('?');
  head.path = resource.substr(0, question);
  head.query = question == std::string_view::npos ? "" : resource.substr(question + 1);
  head.http_1_0 = version == "HTTP/1.0";
  head.close = head.http_1_0;
  if (version != "HTTP/1.1" && !head.http_1_0) {
    return HeadRefusal{505, "bad_request", "only HTTP/1.1 and HTTP/1.0 are spoken here"};
  }
  return std::nullopt;
}

auto parse_field(std::string_view line, Head& head) -> std::optional<HeadRefusal> {
  const auto colon = line.find(':');
  // A folded line begins with a blank, so that it has no name either.
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
    return HeadRefusal{.message = "a header line is not NAME: VALUE"};
  }
  const std::string_view value = trim(line.substr(colon + 1));
  if (!std::all_of(value.begin(), value.end(), is_value_byte)) {
    return HeadRefusal{.message = "a header value holds a control character"};
  }
  head.fields.emplace_back(lower(line.substr(0, colon)), value);
  return std::nullopt;
}

/// Whether a list like `keep-alive, Upgrade` names `word`.
auto names(std::string_view list, std::string_view word) -> bool {
  while (!list.empty()) {
    const auto comma = list.find(',');
    if (lower(trim(list.substr(0, comma))) == word) {
      return true;
    }
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
  }
  return false;
}

/// How the body is delimited. Two answers to that are how requests are smuggled: refused.
auto read_framing(const std::string& name, const std::string& value, Head& head)
    -> std::optional<HeadRefusal> {
  if (name == "content-length") {
    std::uint64_t length = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
    if (error != std::errc() || end != value.data() + value.size() || value.empty()) {
      return HeadRefusal{.message = "Content-Length is not a number"};
    }
    if (head.content_length) {
      return HeadRefusal{.message = "Content-Length is there twice"};
    }
    head.content_length = length;
  } else if (name == "transfer-encoding") {
    if (head.chunked || lower(value) != "chunked") {
      return HeadRefusal{501, "not_implemented", "the only Transfer-Encoding known is chunked"};
    }
    head.chunked = true;
  } else if (name == "expect") {
    if (lower(value) != "100-continue") {
      return HeadRefusal{417, "expectation_failed", "the only Expect known is 100-continue"};
    }
    head.expects_continue = !head.http_1_0;
  } else if (name == "connection") {
    head.close = head.close || names(value, "close");
  }
  return std::nullopt;
}

auto check_message(const Head& head, std::size_t hosts) -> std::optional<HeadRefusal> {
  if (head.chunked && (head.content_length || head.http_1_0)) {
    return HeadRefusal{.message = "Transfer-Encoding beside Content-Length or HTTP/1.0"};
  }
  if (hosts > 1 || (hosts == 0 && !head.http_1_0)) {
    return HeadRefusal{.message = "a request needs exactly one Host header"};
  }
  return std::nullopt;
}

}  // namespace

auto Head::field(std::string_view name) const -> std::optional<std::string_view> {
  for (const auto& [key, value] : fields) {
    if (key == name) {
      return value;
    }
  }
  return std::nullopt;
}

auto find_head_end(std::string_view input) noexcept -> std::size_t {
  // Lines that end without a carriage return are refused by parse_head, but they must be seen to
  // end here, or their sender would wait for nothing.
  for (auto at = input.find('\n'); at != std::string_view::npos; at = input.find('\n', at + 1)) {
    const std::string_view rest = input.substr(at + 1);
    if (rest.starts_with("\r\n")) {
      return at + 3;
    }
    if (rest.starts_with('\n')) {
      return at + 2;
    }
  }
  return std::string_view::npos;
}

auto parse_head(std::string_view text, Head& head) -> std::optional<HeadRefusal> {
  head = {};
  bool first = true;
  std::size_t hosts = 0;
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (!line.ends_with('\r')) {
      return HeadRefusal{.message = "header lines must end with CR LF"};
    }
    line.remove_suffix(1);
    if (line.empty()) {
      break;
    }
    if (line.size() > kLongestLine) {
      return first ? HeadRefusal{414, "uri_too_long", "the request line is too long"}
                   : HeadRefusal{431, "headers_too_large", "a header line is too long"};
    }
    if (auto refusal = first ? parse_request_line(line, head) : parse_field(line, head)) {
      return refusal;
    }
    if (!first) {
      const auto& [name, value] = head.fields.back();
      hosts += name == "host" ? 1 : 0;
      if (auto refusal = read_framing(name, value, head)) {
        return refusal;
      }
    }
    first = false;
    if (head.fields.size() > kMostFields) {
      return HeadRefusal{431, "headers_too_large", "too many header lines"};
    }
  }
  if (first) {
    return HeadRefusal{.message = "the request line is missing"};
  }
  return check_message(head, hosts);
}

auto plain_head(const Head& head, std::size_t body) -> std::string {
  std::string out = head.method + " " + head.path + " HTTP/1.1\r\n";
  if (head.has_body()) {
    out += "Content-Length: " + std::to_string(body) + "\r\n";
  }
  if (const auto encoding = head.field("content-encoding")) {
    out += "Content-Encoding: " + std::string(*encoding) + "\r\n";
  }
  return out + "\r\n";
}

}  // namespace query::server
