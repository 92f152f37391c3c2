#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

#include <query/buffer.hpp>

#include "text_chunk.hpp"
#include "text_copy.hpp"

namespace query::detail {

/// Whether nothing in it makes COPY … CSV quote a text.
template <class Chunk = WidestChunk>
auto is_plain(std::string_view text) -> bool {
  const char* in = text.data();
  const std::size_t size = text.size();
  if (size >= Chunk::kSize) {
    const char* const last = in + size - Chunk::kSize;
    for (; in < last; in += Chunk::kSize) {
      if (!Chunk(in).plain()) {
        return false;
      }
    }
    return Chunk(last).plain();
  }
  if (size >= Chunk::kSize / 2) {
    return Chunk::of_ends(in, size).plain();
  }
  if constexpr (Chunk::kSize > WordChunk::kSize) {
    return is_plain<WordChunk>(text);
  }
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return c == ',' || c == '"' || c == '\r' || c == '\n'; });
}

/// What write_csv_value() writes at most for a text of `size` bytes.
constexpr auto most_csv(std::size_t size) -> std::size_t { return size * 2 + 2; }

/// The text in quotes, its own doubled. Needs room for most_csv(); returns the end.
[[nodiscard]] auto write_csv_quoted(char* out, std::string_view text) -> char*;

/// Whether a value, never NULL, is quoted. `alone`: it is the line's only field.
inline auto is_csv_quoted(std::string_view text, bool alone) -> bool {
  return text.empty() || !is_plain(text) || (alone && text == "\\.");
}

/// Writes a value, never NULL, as a CSV field (RFC 4180), quoted as COPY … CSV does. Needs room for
/// most_csv(); returns the end.
[[nodiscard]] inline auto write_csv_value(char* out, std::string_view text, bool alone) -> char* {
  return is_csv_quoted(text, alone) ? write_csv_quoted(out, text) : copy(out, text);
}

/// The same at the end of a buffer, in no more room than it takes where it is not quoted.
void append_csv_value(Buffer& out, std::string_view text, bool alone);

}  // namespace query::detail
