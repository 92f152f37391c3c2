#include <cstddef>

#include "config.hpp"

namespace query::server {
namespace {

constexpr std::string_view kStars = "****";

/// `scheme://user:password@host`: hides what stands between the colon and the @.
void redact_urls(std::string& text) {
  for (std::size_t at = text.find("://"); at != std::string::npos; at = text.find("://", at)) {
    at += 3;
    const std::size_t end = text.find_first_of(" \t\r\n\"'", at);
    const std::size_t last = end == std::string::npos ? text.size() : end;
    // A password that should have been percent-encoded may hold an @ or a slash: hide too much
    // rather than too little.
    const std::size_t host = text.rfind('@', last - 1);
    const std::size_t colon = text.find(':', at);
    if (host != std::string::npos && host > at && colon < host) {
      text.replace(colon + 1, host - colon - 1, kStars);
    }
  }
}

/// `password=…` and `sslpassword=…`, quoted or not, in a connection string or a URL's query.
void redact_keywords(std::string& text) {
  constexpr std::string_view kWord = "password";
  for (std::size_t at = text.find(kWord); at != std::string::npos; at = text.find(kWord, at)) {
    at += kWord.size();
    std::size_t value = text.find_first_not_of(" \t", at);
    if (value == std::string::npos || text[value] != '=') {
      continue;
    }
    value = text.find_first_not_of(" \t", value + 1);
    if (value == std::string::npos) {
      return;
    }
    std::size_t end = value;
    if (text[value] == '\'') {
      for (++end; end < text.size() && text[end] != '\''; ++end) {
        end += text[end] == '\\' ? 1 : 0;
      }
      end = end < text.size() ? end + 1 : text.size();
    } else {
      while (end < text.size() && text.find_first_of(" \t\r\n&\"", end) != end) {
        end += text[end] == '\\' && end + 1 < text.size() ? 2 : 1;
      }
    }
    text.replace(value, end - value, kStars);
    at = value + kStars.size();
  }
}

}  // namespace

auto redact(std::string_view text) -> std::string {
  std::string out(text);
  redact_urls(out);
  redact_keywords(out);
  return out;
}

}  // namespace query::server
