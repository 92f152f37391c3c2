#pragma once

#include <cstddef>
#include <string_view>

#include <query/buffer.hpp>
#include <query/json.hpp>

#include "json_type.hpp"

namespace query::detail {

/// Appends `text` as a JSON string with its quotes, escaped as PostgreSQL does.
void append_json_string(Buffer& out, std::string_view text);

/// What write_json_value() writes at most for a text of `size` bytes.
constexpr auto most_json(std::size_t size) -> std::size_t { return size * 6 + 32; }

/// Writes a value, never NULL, from PostgreSQL's text form, as to_json() prints it; but NDJSON
/// (kLines) has no line ends inside a value. An array's text that is no array is quoted. Needs room
/// for most_json(); returns the end.
[[nodiscard]] auto write_json_value(char* out, std::string_view text, const TypeInfo& type,
                                    const JsonOptions& options) -> char*;

/// The same at the end of a buffer.
void append_json_value(Buffer& out, std::string_view text, const TypeInfo& type,
                       const JsonOptions& options);

/// Appends a value, never NULL, as a CSV field (RFC 4180), quoted as COPY … CSV does.
/// `alone`: it is the line's only field.
void append_csv_value(Buffer& out, std::string_view text, bool alone);

}  // namespace query::detail
