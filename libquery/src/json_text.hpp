#pragma once

#include <cstddef>
#include <string_view>

#include <query/buffer.hpp>
#include <query/json.hpp>

#include "json_type.hpp"

namespace query::detail {

/// Appends `text` as a JSON string with its quotes. Escaped are `"`, `\` and the bytes below 0x20,
/// as PostgreSQL does (json.c, escape_json); everything else, UTF-8 included, is copied.
void append_json_string(Buffer& out, std::string_view text);

/// Appends a value, never NULL, from PostgreSQL's text form, as to_json() prints it; but NDJSON
/// (kLines) has no line ends inside a value. An array's text that is no array is quoted.
void append_json_value(Buffer& out, std::string_view text, const TypeInfo& type,
                       const JsonOptions& options);

/// Appends a value, never NULL, as a CSV field (RFC 4180), quoted as COPY … CSV does.
/// `alone`: it is the line's only field.
void append_csv_value(Buffer& out, std::string_view text, bool alone);

}  // namespace query::detail
