#include <array>
#include <cstdio>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "json_escape.hpp"
#include "json_text.hpp"

using query::Buffer;

namespace {

/// The rule, one byte at a time: json.c's escape_json and nothing clever.
auto reference(std::string_view text) -> std::string {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    switch (byte) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (byte < 0x20) {
          std::array<char, 8> escape{};
          std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(byte));
          out += escape.data();
        } else {
          out += c;
        }
    }
  }
  return out + '"';
}

auto escaped(std::string_view text) -> std::string {
  Buffer buffer;
  query::detail::append_json_string(buffer, text);
  return std::string(buffer.view());
}

/// With the chunks of one kind, from and to no more room than there must be: the sanitizers watch.
template <class Chunk>
auto escaped_by(std::string_view given) -> std::string {
  const std::vector<char> exact(given.begin(), given.end());
  const std::string_view text(exact.data(), exact.size());
  std::vector<char> room(query::detail::most_escaped(text.size()));
  const char* const end = query::detail::escape<Chunk>(room.data(), text);
  return '"' + std::string(room.data(), static_cast<std::size_t>(end - room.data())) + '"';
}

/// Whether the widest chunks, the portable ones and the whole give what the rule says.
auto follows_rule(std::string_view text) -> bool {
  const std::string expected = reference(text);
  return escaped(text) == expected && escaped_by<query::detail::WidestChunk>(text) == expected &&
         escaped_by<query::detail::WordChunk>(text) == expected;
}

}  // namespace

TEST_CASE("every byte alone is escaped as PostgreSQL does", "[json_string]") {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text(1, static_cast<char>(byte));
    CAPTURE(byte);
    REQUIRE(follows_rule(text));
  }
  CHECK(escaped("") == "\"\"");
  CHECK(escaped("\x7f/\xe2\x80\xa8") ==
        "\"\x7f/\xe2\x80\xa8\"");  // DEL, slash, U+2028: as they are
  CHECK(escaped("\x1f") == "\"\\u001f\"");
}

TEST_CASE("every byte at every place of every short string is escaped alike", "[json_string]") {
  for (std::size_t length = 1; length <= 40; ++length) {
    for (std::size_t at = 0; at < length; ++at) {
      std::string text(length, 'x');
      for (int byte = 0; byte < 256; ++byte) {
        text[at] = static_cast<char>(byte);
        if (!follows_rule(text)) {
          CAPTURE(length, at, byte);
          REQUIRE(escaped(text) == reference(text));
        }
      }
    }
  }
  SUCCEED();
}

TEST_CASE("every pair of neighbours is escaped alike", "[json_string]") {
  // A word-wise search may flag a byte wrongly because of the one before it.
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      std::string text = "abcdefgh12345678";
      text[6] = static_cast<char>(first);
      text[7] = static_cast<char>(second);
      text[8] = static_cast<char>(second);
      text[9] = static_cast<char>(first);
      if (!follows_rule(text)) {
        CAPTURE(first, second);
        REQUIRE(escaped(text) == reference(text));
      }
    }
  }
  SUCCEED();
}

TEST_CASE("random strings of length 0 to 300 at every alignment equal the reference",
          "[json_string]") {
  std::mt19937 random(77);
  std::array<char, 320> storage{};
  std::size_t checked = 0;
  for (std::size_t length = 0; length <= 300; ++length) {
    for (std::size_t alignment = 0; alignment < 16; ++alignment) {
      // From no escape at all to nothing but bytes of all kinds.
      const auto share = random() % 5;
      char* text = storage.data() + alignment;
      for (std::size_t i = 0; i < length; ++i) {
        const bool any = share == 4 || random() % 16 < share;
        text[i] = static_cast<char>(any ? random() % 256 : 'a' + random() % 26);
      }
      const std::string_view view(text, length);
      REQUIRE(follows_rule(view));
      ++checked;
    }
  }
  CHECK(checked == 301 * 16);
}

TEST_CASE("an escape appends behind what is there, also where the buffer must grow",
          "[json_string]") {
  std::mt19937 random(5);
  Buffer buffer;
  std::string expected;
  for (int i = 0; i < 3000; ++i) {
    std::string text(random() % 200, '\0');
    for (char& c : text) {
      c = static_cast<char>(random() % 256);
    }
    query::detail::append_json_string(buffer, text);
    expected += reference(text);
  }
  CHECK(buffer.view() == expected);
}

TEST_CASE("the worst case, only control bytes, has room", "[json_string]") {
  for (const std::size_t length : {0U, 1U, 7U, 8U, 9U, 255U, 256U, 257U, 100'000U}) {
    const std::string text(length, '\x01');
    CHECK(follows_rule(text));
  }
}
