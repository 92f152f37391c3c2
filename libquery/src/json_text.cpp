#include "json_text.hpp"

#include <algorithm>

namespace query::detail {

namespace {

/// A text longer than this is escaped in pieces: reserving six times its size would be too much.
constexpr std::size_t kPiece = std::size_t{64} << 10;

auto write_json(char* out, std::string_view text, bool one_line) -> char* {
  char* const end = copy(out, text);
  if (one_line) {
    // Raw line ends can only be insignificant white space in JSON.
    std::replace_if(
        out, end, [](char c) { return c == '\n' || c == '\r'; }, ' ');
  }
  return end;
}

/// int2vector and oidvector: numbers with spaces between.
auto write_vector(char* out, std::string_view text, bool quoted) -> char* {
  *out++ = '[';
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    out = write_json_number(out, text.substr(0, end), quoted);
    text.remove_prefix(end);
    if (!text.empty()) {
      text.remove_prefix(1);
      *out++ = ',';
    }
  }
  *out++ = ']';
  return out;
}

auto one_line(const JsonOptions& options) -> bool {
  return options.framing == JsonOptions::Framing::kLines;
}

auto write_scalar(char* out, std::string_view text, ValueKind kind, const JsonOptions& options)
    -> char* {
  switch (kind) {
    case ValueKind::kBool:
      return write_json_bool(out, text);
    case ValueKind::kNumber:
      return write_json_number(out, text, false);
    case ValueKind::kBigNumber:
      return write_json_number(out, text, options.numbers == JsonOptions::Numbers::kString);
    case ValueKind::kJson:
      return write_json(out, text, one_line(options));
    case ValueKind::kJsonb:
      return copy(out, text);
    case ValueKind::kTimestamp:
      return write_json_timestamp(out, text, false);
    case ValueKind::kTimestampTz:
      return write_json_timestamp(out, text, true);
    case ValueKind::kIntVector:
      return write_vector(out, text, false);
    case ValueKind::kOidVector:
      return write_vector(out, text, true);
    case ValueKind::kString:
      break;
  }
  return write_json_string(out, text);
}

/// Array text to JSON (PostgreSQL manual, "Array Input and Output Syntax"): braces become
/// brackets, unquoted NULL null, bounds such as [0:1]= are dropped. A loop without a stack, for the
/// depth is the data's.
class ArrayText {
 public:
  ArrayText(std::string_view text, const TypeInfo& type, const JsonOptions& options)
      : text_(text), type_(type), options_(options) {}

  auto write(char* out) -> char* {
    if (text_.starts_with('[')) {
      text_.remove_prefix(std::min(text_.find('=') + 1, text_.size()));
    }
    while (!text_.empty()) {
      const char c = text_.front();
      if (c == '{' || c == '}' || c == type_.delimiter) {
        *out++ = c == '{' ? '[' : c == '}' ? ']' : ',';
        text_.remove_prefix(1);
      } else {
        out = c == '"' ? write_quoted(out) : write_bare(out);
      }
    }
    return out;
  }

 private:
  auto write_bare(char* out) -> char* {
    std::size_t end = 0;
    while (end < text_.size() && text_[end] != type_.delimiter && text_[end] != '}') {
      ++end;
    }
    const std::string_view element = text_.substr(0, end);
    text_.remove_prefix(end);
    return element == "NULL" ? copy(out, "null") : write_scalar(out, element, type_.kind, options_);
  }

  auto write_quoted(char* out) -> char* {
    const std::size_t end = std::min(text_.find_first_of("\"\\", 1), text_.size());
    if (end == text_.size() || text_[end] == '"') {  // nothing to unescape
      const std::string_view element = text_.substr(1, end - 1);
      text_.remove_prefix(std::min(end + 1, text_.size()));
      return write_scalar(out, element, type_.kind, options_);
    }
    const bool raw = type_.kind == ValueKind::kJson || type_.kind == ValueKind::kJsonb;
    if (!raw) {
      *out++ = '"';
    }
    std::size_t at = 1;
    for (; at < text_.size() && text_[at] != '"'; ++at) {
      if (text_[at] == '\\' && at + 1 < text_.size()) {
        ++at;
      }
      const char c = text_[at];
      if (!raw) {
        out = escape_byte(out, c);
      } else {
        *out++ = (c == '\n' || c == '\r') && one_line(options_) ? ' ' : c;
      }
    }
    text_.remove_prefix(std::min(at + 1, text_.size()));
    if (!raw) {
      *out++ = '"';
    }
    return out;
  }

  std::string_view text_;
  const TypeInfo& type_;
  const JsonOptions& options_;
};

}  // namespace

void append_json_string(Buffer& out, std::string_view text) {
  out.push_back('"');
  while (!text.empty()) {
    const std::string_view piece = text.substr(0, kPiece);
    out.commit(escape(out.reserve(most_escaped(piece.size())), piece));
    text.remove_prefix(piece.size());
  }
  out.push_back('"');
}

auto write_other_timestamp(char* out, std::string_view text, bool with_zone) -> char* {
  const std::size_t space = text.find(' ');
  if (text.empty() || !is_digit(text[0]) || space == std::string_view::npos ||
      space + 3 > text.size() || !is_digit(text[space + 1]) || text.find('/') < space) {
    return write_json_string(out, text);
  }
  *out++ = '"';
  out = copy(out, text.substr(0, space));
  *out++ = 'T';
  std::string_view rest = text.substr(space + 1);
  const std::string_view era = rest.ends_with(" BC") ? " BC" : "";
  rest.remove_suffix(era.size());
  out = copy(out, rest);
  // A zone of whole hours, +05, gets its minutes.
  if (with_zone && rest.size() >= 3 &&
      (rest[rest.size() - 3] == '+' || rest[rest.size() - 3] == '-')) {
    out = copy(out, ":00");
  }
  out = copy(out, era);
  *out++ = '"';
  return out;
}

auto write_other_json_value(char* out, std::string_view text, const TypeInfo& type,
                            const JsonOptions& options) -> char* {
  if (!type.is_array) {
    return write_scalar(out, text, type.kind, options);
  }
  if (text.starts_with('{') || text.starts_with('[')) {
    return ArrayText(text, type, options).write(out);
  }
  return write_json_string(out, text);
}

void append_json_value(Buffer& out, std::string_view text, const TypeInfo& type,
                       const JsonOptions& options) {
  if (text.size() > kPiece && !type.is_array && type.kind == ValueKind::kString) {
    append_json_string(out, text);
  } else {
    out.commit(write_json_value(out.reserve(most_json(text.size())), text, type, options));
  }
}

}  // namespace query::detail
