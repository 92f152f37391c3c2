#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>

#include <query/buffer.hpp>
#include <query/json.hpp>

#include "json_escape.hpp"
#include "json_type.hpp"
#include "text_copy.hpp"

namespace query::detail {

/// Appends `text` as a JSON string with its quotes, escaped as PostgreSQL does.
void append_json_string(Buffer& out, std::string_view text);

/// What write_json_value() writes at most for a text of `size` bytes.
constexpr auto most_json(std::size_t size) -> std::size_t { return size * 6 + 32; }

inline auto is_digit(char c) -> bool { return c >= '0' && c <= '9'; }

inline auto write_json_string(char* out, std::string_view text) -> char* {
  *out++ = '"';
  out = escape(out, text);
  *out++ = '"';
  return out;
}

/// NaN, Infinity and -Infinity are the only number texts that JSON cannot hold.
inline auto write_json_number(char* out, std::string_view text, bool quoted) -> char* {
  const bool number = !text.empty() && (is_digit(text[0]) ||
                                        (text[0] == '-' && text.size() > 1 && is_digit(text[1])));
  return number && !quoted ? copy(out, text) : write_json_string(out, text);
}

inline auto write_json_bool(char* out, std::string_view text) -> char* {
  const bool yes = text == "t";
  std::memcpy(out, yes ? "true\0\0\0" : "false\0\0", 8);
  return out + (yes ? 4 : 5);
}

/// What does not look like `2024-01-02 03:04:05`: years of other lengths or before Christ,
/// infinity, and what is not ISO (a DateStyle set by the statement itself).
[[nodiscard]] auto write_other_timestamp(char* out, std::string_view text, bool with_zone) -> char*;

/// `2024-01-02 03:04:05+00` becomes `"2024-01-02T03:04:05+00:00"`.
inline auto write_json_timestamp(char* out, std::string_view text, bool with_zone) -> char* {
  const std::size_t size = text.size();
  if (size < 19 || size > 32 || text[4] != '-' || text[7] != '-' || text[10] != ' ' ||
      !is_digit(text[size - 1])) {
    return write_other_timestamp(out, text, with_zone);
  }
  *out++ = '"';
  std::memcpy(out, text.data(), 16);  // two halves that overlap
  std::memcpy(out + size - 16, text.data() + size - 16, 16);
  out[10] = 'T';
  out += size;
  const char sign = text[size - 3];
  if (with_zone && (sign == '+' || sign == '-')) {  // a zone of whole hours gets its minutes
    out = copy(out, ":00");
  }
  *out++ = '"';
  return out;
}

/// write_json_value() of the types that are not in it.
[[nodiscard]] auto write_other_json_value(char* out, std::string_view text, const TypeInfo& type,
                                          const JsonOptions& options) -> char*;

/// Writes a value, never NULL, from PostgreSQL's text form, as to_json() prints it; but NDJSON
/// (kLines) has no line ends inside a value. An array's text that is no array is quoted. Needs room
/// for most_json(); returns the end.
[[nodiscard]] inline auto write_json_value(char* out, std::string_view text, const TypeInfo& type,
                                           const JsonOptions& options) -> char* {
  if (!type.is_array) {
    // Four ranges are compared one by one; from five on compilers take a jump table, whose jumps
    // cost mixed rows a tenth.
    switch (type.kind) {
      case ValueKind::kString:
        return write_json_string(out, text);
      case ValueKind::kBool:
        return write_json_bool(out, text);
      case ValueKind::kNumber:
      case ValueKind::kBigNumber:
        return write_json_number(
            out, text,
            type.kind == ValueKind::kBigNumber && options.numbers == JsonOptions::Numbers::kString);
      case ValueKind::kTimestamp:
      case ValueKind::kTimestampTz:
        return write_json_timestamp(out, text, type.kind == ValueKind::kTimestampTz);
      default:
        break;
    }
  }
  return write_other_json_value(out, text, type, options);
}

/// The same at the end of a buffer.
void append_json_value(Buffer& out, std::string_view text, const TypeInfo& type,
                       const JsonOptions& options);

}  // namespace query::detail
