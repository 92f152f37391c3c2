#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>

#include <query/buffer.hpp>
#include <query/json.hpp>

#include "json_escape.hpp"
#include "json_type.hpp"

namespace query::detail {

/// Appends `text` as a JSON string with its quotes, escaped as PostgreSQL does.
void append_json_string(Buffer& out, std::string_view text);

/// What write_json_value() writes at most for a text of `size` bytes.
constexpr auto most_json(std::size_t size) -> std::size_t { return size * 6 + 32; }

/// Copies a text that is short as a rule: a few instructions where memcpy would be a call.
inline auto copy(char* out, std::string_view text) -> char* {
  const std::size_t size = text.size();
  const char* const in = text.data();
  if (size > 16) {
    std::memcpy(out, in, size);
  } else if (size >= 8) {  // two words that may overlap
    std::memcpy(out, in, 8);
    std::memcpy(out + size - 8, in + size - 8, 8);
  } else if (size >= 4) {
    std::memcpy(out, in, 4);
    std::memcpy(out + size - 4, in + size - 4, 4);
  } else if (size > 0) {
    out[0] = in[0];
    out[size / 2] = in[size / 2];
    out[size - 1] = in[size - 1];
  }
  return out + size;
}

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

/// write_json_value() of the types that are not in it.
[[nodiscard]] auto write_other_json_value(char* out, std::string_view text, const TypeInfo& type,
                                          const JsonOptions& options) -> char*;

/// Writes a value, never NULL, from PostgreSQL's text form, as to_json() prints it; but NDJSON
/// (kLines) has no line ends inside a value. An array's text that is no array is quoted. Needs room
/// for most_json(); returns the end.
[[nodiscard]] inline auto write_json_value(char* out, std::string_view text, const TypeInfo& type,
                                           const JsonOptions& options) -> char* {
  if (!type.is_array) {
    switch (type.kind) {
      case ValueKind::kString:
        return write_json_string(out, text);
      case ValueKind::kNumber:
        return write_json_number(out, text, false);
      case ValueKind::kBigNumber:
        return write_json_number(out, text, options.numbers == JsonOptions::Numbers::kString);
      default:
        break;
    }
  }
  return write_other_json_value(out, text, type, options);
}

/// The same at the end of a buffer.
void append_json_value(Buffer& out, std::string_view text, const TypeInfo& type,
                       const JsonOptions& options);

/// Appends a value, never NULL, as a CSV field (RFC 4180), quoted as COPY … CSV does.
/// `alone`: it is the line's only field.
void append_csv_value(Buffer& out, std::string_view text, bool alone);

}  // namespace query::detail
