#pragma once

#include <string>
#include <string_view>

namespace query::server {

/// Appends `text` as a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD, so
/// that what is written is always valid JSON. For small texts (errors, logs); results have their
/// own, faster writer in libquery.
void append_json_string(std::string& out, std::string_view text);

/// Appends `,"name":` (without the comma right behind an opening brace).
void append_json_key(std::string& out, std::string_view name);

/// The position of the first byte that is not part of valid UTF-8, or npos.
[[nodiscard]] auto find_invalid_utf8(std::string_view text) noexcept -> std::string_view::size_type;

}  // namespace query::server
