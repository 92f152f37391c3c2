#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "csv_text.hpp"

using query::Buffer;
using query::detail::is_plain;
using query::detail::WidestChunk;
using query::detail::WordChunk;

namespace {

auto csv(std::string_view text, bool alone = false) -> std::string {
  Buffer buffer;
  query::detail::append_csv_value(buffer, text, alone);
  return std::string(buffer.view());
}

/// Whether the widest chunks and the portable ones say what the rule says, without reading past
/// the text's end: the sanitizers watch.
auto follows_rule(std::string_view text) -> bool {
  const std::vector<char> exact(text.begin(), text.end());
  const std::string_view view(exact.data(), exact.size());
  const bool plain = text.find_first_of(",\"\r\n") == std::string_view::npos;
  return is_plain<WidestChunk>(view) == plain && is_plain<WordChunk>(view) == plain;
}

}  // namespace

TEST_CASE("CSV fields are quoted as COPY quotes them", "[csv_text]") {
  CHECK(csv("plain") == "plain");
  CHECK(csv(" spaces ") == " spaces ");
  CHECK(csv("a,b") == "\"a,b\"");
  CHECK(csv("a\"b") == "\"a\"\"b\"");
  CHECK(csv("\"") == "\"\"\"\"");
  CHECK(csv("a\nb") == "\"a\nb\"");
  CHECK(csv("a\rb") == "\"a\rb\"");
  CHECK(csv("") == "\"\"");  // NULL is the empty field
  CHECK(csv("\\.") == "\\.");
  CHECK(csv("\\.", true) == "\"\\.\"");
  CHECK(csv("\xc3\xa4") == "\xc3\xa4");
}

TEST_CASE("every byte at every place of every short text is seen", "[csv_text]") {
  for (std::size_t length = 1; length <= 40; ++length) {
    for (std::size_t at = 0; at < length; ++at) {
      std::string text(length, 'x');
      for (int byte = 0; byte < 256; ++byte) {
        text[at] = static_cast<char>(byte);
        if (!follows_rule(text)) {
          CAPTURE(length, at, byte);
          FAIL();
        }
      }
    }
  }
  SUCCEED();
}

TEST_CASE("no byte is taken for a quote because of its neighbour", "[csv_text]") {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      std::string text = "abcdefgh12345678";
      text[6] = static_cast<char>(first);
      text[7] = static_cast<char>(second);
      if (!follows_rule(text)) {
        CAPTURE(first, second);
        FAIL();
      }
    }
  }
  SUCCEED();
}
