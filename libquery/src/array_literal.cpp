#include "array_literal.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

namespace query::detail {

namespace {

/// Walks over JSON text; checks just as much as it needs to find where a value ends.
class Reader {
 public:
  explicit Reader(std::string_view json) : json_(json) {}

  [[nodiscard]] auto at_end() -> bool {
    skip_space();
    return next_ == json_.size();
  }

  [[nodiscard]] auto peek() -> char {
    skip_space();
    return next_ < json_.size() ? json_[next_] : '\0';
  }

  [[nodiscard]] auto take(char expected) -> bool {
    if (peek() != expected) {
      return false;
    }
    ++next_;
    return true;
  }

  /// The text of the value that comes next, and moves behind it.
  auto raw_value() -> std::string_view {
    const char first = peek();
    const std::size_t begin = next_;
    if (first == '"') {
      skip_string();
    } else if (first == '{' || first == '[') {
      skip_nested();
    } else {
      skip_word();
    }
    return json_.substr(begin, next_ - begin);
  }

  /// The decoded content of the string that comes next.
  auto string_value() -> std::string {
    const std::string_view raw = raw_value();
    return decode(raw.substr(1, raw.size() - 2));
  }

  [[noreturn]] static void fail(std::string_view what) {
    throw std::invalid_argument("not a JSON array: " + std::string(what));
  }

 private:
  void skip_space() {
    while (next_ < json_.size() && (json_[next_] == ' ' || json_[next_] == '\n' ||
                                    json_[next_] == '\t' || json_[next_] == '\r')) {
      ++next_;
    }
  }

  void skip_string() {
    for (++next_; next_ < json_.size(); ++next_) {
      if (json_[next_] == '\\') {
        ++next_;
      } else if (json_[next_] == '"') {
        ++next_;
        return;
      }
    }
    fail("a string does not end");
  }

  void skip_nested() {
    std::string closers;  // those still to come, the next one last
    while (next_ < json_.size()) {
      const char c = json_[next_];
      if (c == '"') {
        skip_string();
        continue;
      }
      ++next_;
      if (c == '[' || c == '{') {
        closers.push_back(c == '[' ? ']' : '}');
      } else if (c == ']' || c == '}') {
        if (c != closers.back()) {
          fail("the brackets do not match");
        }
        closers.pop_back();
        if (closers.empty()) {
          return;
        }
      }
    }
    fail("a bracket is not closed");
  }

  void skip_word() {
    const std::size_t end = std::min(json_.find_first_of(",]} \t\r\n", next_), json_.size());
    const std::string_view word = json_.substr(next_, end - next_);
    if (word != "null" && word != "true" && word != "false" && !is_number(word)) {
      fail(word.empty() ? "a value is missing" : "no value: " + std::string(word));
    }
    next_ = end;
  }

  /// RFC 8259, section 6: -? (0 | [1-9][0-9]*) (.[0-9]+)? ([eE][+-]?[0-9]+)?
  static auto is_number(std::string_view word) -> bool {
    const auto take_digits = [&word] {
      const std::size_t count = std::min(word.find_first_not_of("0123456789"), word.size());
      word.remove_prefix(count);
      return count > 0;
    };
    if (word.starts_with('-')) {
      word.remove_prefix(1);
    }
    if (word.starts_with('0')) {
      word.remove_prefix(1);
    } else if (!take_digits()) {
      return false;
    }
    if (word.starts_with('.')) {
      word.remove_prefix(1);
      if (!take_digits()) {
        return false;
      }
    }
    if (word.starts_with('e') || word.starts_with('E')) {
      word.remove_prefix(1);
      if (word.starts_with('+') || word.starts_with('-')) {
        word.remove_prefix(1);
      }
      if (!take_digits()) {
        return false;
      }
    }
    return word.empty();
  }

  static auto hex4(std::string_view text, std::size_t at) -> std::uint32_t {
    std::uint32_t code = 0;
    if (at + 4 > text.size() ||
        std::from_chars(text.data() + at, text.data() + at + 4, code, 16).ptr !=
            text.data() + at + 4) {
      fail("a \\u escape needs four hexadecimal digits");
    }
    return code;
  }

  static void append_utf8(std::string& out, std::uint32_t code) {
    const auto byte = [&out](std::uint32_t value) { out.push_back(static_cast<char>(value)); };
    if (code < 0x80) {
      byte(code);
    } else if (code < 0x800) {
      byte(0xC0 | code >> 6);
      byte(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
      byte(0xE0 | code >> 12);
      byte(0x80 | (code >> 6 & 0x3F));
      byte(0x80 | (code & 0x3F));
    } else {
      byte(0xF0 | code >> 18);
      byte(0x80 | (code >> 12 & 0x3F));
      byte(0x80 | (code >> 6 & 0x3F));
      byte(0x80 | (code & 0x3F));
    }
  }

  /// Appends the character of the \u escape whose digits begin at `at`; returns where it ends.
  static auto append_unicode(std::string& out, std::string_view text, std::size_t at)
      -> std::size_t {
    std::uint32_t code = hex4(text, at);
    at += 4;
    if (code >= 0xD800 && code < 0xDC00 && text.substr(at, 2) == "\\u") {
      const std::uint32_t low = hex4(text, at + 2);
      if (low < 0xDC00 || low > 0xDFFF) {
        fail("a surrogate has no partner");
      }
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      at += 6;
    } else if (code >= 0xD800 && code <= 0xDFFF) {
      fail("a surrogate has no partner");
    }
    if (code == 0) {
      throw std::invalid_argument("a string contains U+0000, which a PostgreSQL text cannot hold");
    }
    append_utf8(out, code);
    return at;
  }

  static auto decode(std::string_view text) -> std::string {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
      const char c = text[at++];
      if (c != '\\') {
        out.push_back(c);
        continue;
      }
      const char escape = at < text.size() ? text[at++] : '\0';
      constexpr std::string_view kFrom = "\"\\/bfnrt";
      constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
      if (const auto index = kFrom.find(escape); index != std::string_view::npos) {
        out.push_back(kTo[index]);
      } else if (escape == 'u') {
        at = append_unicode(out, text, at);
      } else {
        fail("an unknown escape");
      }
    }
    return out;
  }

  std::string_view json_;
  std::size_t next_ = 0;
};

void append_quoted(std::string& out, std::string_view element) {
  out.push_back('"');
  for (const char c : element) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
    }
    out.push_back(c);
  }
  out.push_back('"');
}

void append_element(std::string& out, Reader& reader, ArrayElements elements) {
  const char first = reader.peek();
  if (first == '"' && elements == ArrayElements::kValues) {
    append_quoted(out, reader.string_value());
    return;
  }
  const std::string_view raw = reader.raw_value();
  if (raw == "null") {
    out += "NULL";
  } else if (elements == ArrayElements::kJson || first == '{') {
    append_quoted(out, raw);
  } else {
    out += raw;  // a number, true or false
  }
}

}  // namespace

auto to_array_literal(std::string_view json, ArrayElements elements) -> std::string {
  Reader reader(json);
  if (reader.peek() != '[') {
    return std::string(json);
  }
  std::string out;
  std::size_t depth = 0;  // a loop with a counter: depth is the caller's input
  bool value_expected = true;
  do {
    if (value_expected && reader.peek() == '[' &&
        (depth == 0 || elements == ArrayElements::kValues)) {
      (void)reader.take('[');
      out.push_back('{');
      ++depth;
      value_expected = reader.peek() != ']';
    } else if (value_expected) {
      append_element(out, reader, elements);
      value_expected = false;
    } else if (reader.take(',')) {
      out.push_back(',');
      value_expected = true;
    } else if (reader.take(']')) {
      out.push_back('}');
      --depth;
    } else {
      Reader::fail("expected , or ]");
    }
  } while (depth > 0);
  if (!reader.at_end()) {
    Reader::fail("something follows its end");
  }
  return out;
}

}  // namespace query::detail
