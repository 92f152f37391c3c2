#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "text_chunk.hpp"

namespace query::detail {

// Escaping as PostgreSQL does it (json.c, escape_json): `"`, `\` and the bytes below 0x20;
// everything else, UTF-8 included, is copied.
//
// Most text needs none of it, so bytes are taken in chunks: a chunk is stored before it is known
// how many of its leading bytes are clean, and what was stored behind those is overwritten.

/// What escaping writes at most for `size` bytes, the slack for a last chunk included.
constexpr auto most_escaped(std::size_t size) -> std::size_t { return size * 6 + 16; }

/// For each byte: 0 copied, 'u' written as \u00XX, else the letter behind the backslash.
inline constexpr auto kEscapes = [] {
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

inline auto escape_byte(char* out, char c) -> char* {
  constexpr std::string_view kHex = "0123456789abcdef";
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

/// Writes `text` escaped, without quotes; needs room for most_escaped(). Returns the end.
template <class Chunk = WidestChunk>
auto escape(char* out, std::string_view text) -> char* {
  const char* in = text.data();
  const char* const end = in + text.size();
  while (end - in >= static_cast<std::ptrdiff_t>(Chunk::kSize)) {
    const Chunk chunk(in);
    chunk.store(out);
    // Asked by a branch, for that is foretold: the next address need not wait for the count.
    const std::size_t clean = chunk.clean();
    if (clean == Chunk::kSize) {
      in += Chunk::kSize;
      out += Chunk::kSize;
    } else {
      in += clean;
      out = escape_byte(out + clean, *in++);
    }
  }
  const auto rest = static_cast<std::size_t>(end - in);
  if (rest == 0) {
    return out;
  }
  if (text.size() >= Chunk::kSize) {
    // The last whole chunk once more: where it is clean, all it holds was copied as it is.
    const Chunk last(end - Chunk::kSize);
    if (last.clean() == Chunk::kSize) {
      last.store(out + rest - Chunk::kSize);
      return out + rest;
    }
  } else if (rest >= Chunk::kSize / 2) {
    const Chunk ends = Chunk::of_ends(in, rest);
    if (ends.clean() == Chunk::kSize) {
      ends.store_ends(out, rest);
      return out + rest;
    }
  } else if constexpr (Chunk::kSize > WordChunk::kSize) {
    return escape<WordChunk>(out, text);
  }
  while (in != end) {
    out = escape_byte(out, *in++);
  }
  return out;
}

}  // namespace query::detail
