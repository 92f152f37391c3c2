#include "json_text.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>

namespace query::detail {

namespace {

constexpr std::string_view kHex = "0123456789abcdef";

/// For each byte: 0 copied, 'u' written as \u00XX, else the letter behind the backslash.
constexpr auto kEscapes = [] {
  std::array<char, 256> table{};
  for (std::size_t byte = 0; byte < 0x20; ++byte) {
    table[byte] = 'u';
  }
  table['\b'] = 'b';
  table['\f'] = 'f';
  table['\n'] = 'n';
  table['\r'] = 'r';
  table['\t'] = 't';
  table['"'] = '"';
  table['\\'] = '\\';
  return table;
}();

/// The high bit of each byte that must be escaped. Borrows may flag bytes above the lowest flag
/// wrongly, so only the lowest counts.
constexpr auto flag_escapes(std::uint64_t word) -> std::uint64_t {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHighs = 0x8080808080808080;
  const auto zero_bytes = [](std::uint64_t v) { return (v - kOnes) & ~v & kHighs; };
  const std::uint64_t below_space = (word - kOnes * 0x20) & ~word & kHighs;
  return below_space | zero_bytes(word ^ kOnes * '"') | zero_bytes(word ^ kOnes * '\\');
}

auto escape_byte(char* out, char c) -> char* {
  const auto byte = static_cast<unsigned char>(c);
  const char letter = kEscapes[byte];
  if (letter == 0) {
    *out++ = c;
    return out;
  }
  *out++ = '\\';
  *out++ = letter;
  if (letter == 'u') {
    *out++ = '0';
    *out++ = '0';
    *out++ = kHex[byte >> 4U];
    *out++ = kHex[byte & 15U];
  }
  return out;
}

/// Writes `text` escaped. Needs room for six times its size and 8 bytes more: whole words are
/// stored before they are known to be clean.
auto escape(char* out, std::string_view text) -> char* {
  const char* in = text.data();
  const char* const end = in + text.size();
  if constexpr (std::endian::native == std::endian::little) {
    while (end - in >= 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, in, sizeof word);
      std::memcpy(out, &word, sizeof word);
      const std::uint64_t flags = flag_escapes(word);
      if (flags == 0) {
        in += 8;
        out += 8;
        continue;
      }
      const int clean = std::countr_zero(flags) / 8;
      in += clean;
      out = escape_byte(out + clean, *in++);
    }
  }
  while (in != end) {
    out = escape_byte(out, *in++);
  }
  return out;
}

auto is_digit(char c) -> bool { return c >= '0' && c <= '9'; }

/// NaN, Infinity and -Infinity are the only number texts that JSON cannot hold.
auto is_json_number(std::string_view text) -> bool {
  return !text.empty() &&
         (is_digit(text[0]) || (text[0] == '-' && text.size() > 1 && is_digit(text[1])));
}

void append_number(Buffer& out, std::string_view text, bool quoted) {
  if (!quoted && is_json_number(text)) {
    out.append(text);
  } else {
    append_json_string(out, text);
  }
}

/// `2024-01-02 03:04:05+00` becomes `"2024-01-02T03:04:05+00:00"`; what does not look like ISO
/// (a DateStyle set by the statement itself, infinity) is only quoted.
void append_timestamp(Buffer& out, std::string_view text, bool with_zone) {
  const std::size_t space = text.find(' ');
  if (text.empty() || !is_digit(text[0]) || space == std::string_view::npos ||
      space + 3 > text.size() || !is_digit(text[space + 1]) || text.find('/') < space) {
    append_json_string(out, text);
    return;
  }
  out.push_back('"');
  out.append(text.substr(0, space));
  out.push_back('T');
  std::string_view rest = text.substr(space + 1);
  const std::string_view era = rest.ends_with(" BC") ? " BC" : "";
  rest.remove_suffix(era.size());
  out.append(rest);
  // A zone of whole hours, +05, gets its minutes.
  if (with_zone && rest.size() >= 3 &&
      (rest[rest.size() - 3] == '+' || rest[rest.size() - 3] == '-')) {
    out.append(":00");
  }
  out.append(era);
  out.push_back('"');
}

void append_json(Buffer& out, std::string_view text, bool one_line) {
  char* const begin = out.reserve(text.size());
  char* const end = std::copy(text.begin(), text.end(), begin);
  if (one_line) {
    // Raw line ends can only be insignificant white space in JSON.
    std::replace_if(
        begin, end, [](char c) { return c == '\n' || c == '\r'; }, ' ');
  }
  out.commit(end);
}

/// int2vector and oidvector: numbers with spaces between.
void append_vector(Buffer& out, std::string_view text, bool quoted) {
  out.push_back('[');
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    append_number(out, text.substr(0, end), quoted);
    text.remove_prefix(end);
    if (!text.empty()) {
      text.remove_prefix(1);
      out.push_back(',');
    }
  }
  out.push_back(']');
}

void append_scalar(Buffer& out, std::string_view text, ValueKind kind, const JsonOptions& options) {
  switch (kind) {
    case ValueKind::kBool:
      out.append(text == "t" ? "true" : "false");
      break;
    case ValueKind::kNumber:
      append_number(out, text, false);
      break;
    case ValueKind::kBigNumber:
      append_number(out, text, options.numbers == JsonOptions::Numbers::kString);
      break;
    case ValueKind::kJson:
      append_json(out, text, options.framing == JsonOptions::Framing::kLines);
      break;
    case ValueKind::kJsonb:
      out.append(text);
      break;
    case ValueKind::kTimestamp:
      append_timestamp(out, text, false);
      break;
    case ValueKind::kTimestampTz:
      append_timestamp(out, text, true);
      break;
    case ValueKind::kIntVector:
      append_vector(out, text, false);
      break;
    case ValueKind::kOidVector:
      append_vector(out, text, true);
      break;
    case ValueKind::kString:
      append_json_string(out, text);
      break;
  }
}

/// Array text to JSON (PostgreSQL manual, "Array Input and Output Syntax"): braces become
/// brackets, unquoted NULL null, bounds such as [0:1]= are dropped. A loop with a counter, for the
/// depth is the data's.
class ArrayText {
 public:
  ArrayText(Buffer& out, std::string_view text, const TypeInfo& type, const JsonOptions& options)
      : out_(out), text_(text), type_(type), options_(options) {}

  void append() {
    if (text_.starts_with('[')) {
      text_.remove_prefix(std::min(text_.find('=') + 1, text_.size()));
    }
    while (!text_.empty()) {
      const char c = text_.front();
      if (c == '{' || c == '}') {
        out_.push_back(c == '{' ? '[' : ']');
        text_.remove_prefix(1);
      } else if (c == type_.delimiter) {
        out_.push_back(',');
        text_.remove_prefix(1);
      } else if (c == '"') {
        append_scalar(out_, take_quoted(), type_.kind, options_);
      } else {
        append_bare();
      }
    }
  }

 private:
  void append_bare() {
    std::size_t end = 0;
    while (end < text_.size() && text_[end] != type_.delimiter && text_[end] != '}') {
      ++end;
    }
    const std::string_view element = text_.substr(0, end);
    text_.remove_prefix(end);
    if (element == "NULL") {
      out_.append("null");
    } else {
      append_scalar(out_, element, type_.kind, options_);
    }
  }

  /// The content of the quoted element that comes next, unescaped.
  auto take_quoted() -> std::string_view {
    const std::size_t end = std::min(text_.find_first_of("\"\\", 1), text_.size());
    if (end < text_.size() && text_[end] == '"') {  // nothing to unescape: no copy
      const std::string_view element = text_.substr(1, end - 1);
      text_.remove_prefix(end + 1);
      return element;
    }
    unescaped_.clear();
    std::size_t at = 1;
    for (; at < text_.size() && text_[at] != '"'; ++at) {
      if (text_[at] == '\\' && at + 1 < text_.size()) {
        ++at;
      }
      unescaped_.push_back(text_[at]);
    }
    text_.remove_prefix(std::min(at + 1, text_.size()));
    return unescaped_;
  }

  Buffer& out_;
  std::string_view text_;
  const TypeInfo& type_;
  const JsonOptions& options_;
  std::string unescaped_;
};

}  // namespace

void append_json_string(Buffer& out, std::string_view text) {
  constexpr std::size_t kMostPerByte = 6;  // \u001f
  char* next = out.reserve(text.size() * kMostPerByte + 2 + 8);
  *next++ = '"';
  next = escape(next, text);
  *next++ = '"';
  out.commit(next);
}

void append_json_value(Buffer& out, std::string_view text, const TypeInfo& type,
                       const JsonOptions& options) {
  if (!type.is_array) {
    append_scalar(out, text, type.kind, options);
  } else if (text.starts_with('{') || text.starts_with('[')) {
    ArrayText(out, text, type, options).append();
  } else {
    append_json_string(out, text);
  }
}

void append_csv_value(Buffer& out, std::string_view text, bool alone) {
  const bool quote = text.empty() || text.find_first_of(",\"\r\n") != std::string_view::npos ||
                     (alone && text == "\\.");
  if (!quote) {
    out.append(text);
    return;
  }
  char* next = out.reserve(text.size() * 2 + 2);
  *next++ = '"';
  for (const char c : text) {
    if (c == '"') {
      *next++ = '"';
    }
    *next++ = c;
  }
  *next++ = '"';
  out.commit(next);
}

}  // namespace query::detail
