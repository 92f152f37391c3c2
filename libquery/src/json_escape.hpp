#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

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

/// Eight bytes in a word.
class WordChunk {
 public:
  static constexpr std::size_t kSize = 8;

  explicit WordChunk(const char* in) { std::memcpy(&word_, in, kSize); }
  void store(char* out) const { std::memcpy(out, &word_, kSize); }

  /// How many bytes come before the first that must be escaped.
  [[nodiscard]] auto clean() const -> std::size_t {
    constexpr std::uint64_t kOnes = 0x0101010101010101;
    constexpr std::uint64_t kHighs = 0x8080808080808080;
    const auto zero_bytes = [](std::uint64_t v) { return (v - kOnes) & ~v & kHighs; };
    // Borrows may flag bytes above the lowest flag wrongly, so only the lowest counts.
    const std::uint64_t flags = ((word_ - kOnes * 0x20) & ~word_ & kHighs) |
                                zero_bytes(word_ ^ kOnes * '"') | zero_bytes(word_ ^ kOnes * '\\');
    if constexpr (std::endian::native == std::endian::little) {
      return static_cast<std::size_t>(std::countr_zero(flags)) / 8;
    }
    return flags == 0 ? kSize : 0;  // one byte at a time through what is not clean
  }

 private:
  std::uint64_t word_ = 0;
};

#if defined(__SSE2__)
/// Sixteen bytes in a vector.
class VectorChunk {
 public:
  static constexpr std::size_t kSize = 16;

  explicit VectorChunk(const char* in)
      : vector_(_mm_loadu_si128(reinterpret_cast<const __m128i*>(in))) {}
  void store(char* out) const { _mm_storeu_si128(reinterpret_cast<__m128i*>(out), vector_); }

  [[nodiscard]] auto clean() const -> std::size_t {
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(vector_, _mm_set1_epi8(0x1f)), vector_);
    const __m128i quote = _mm_cmpeq_epi8(vector_, _mm_set1_epi8('"'));
    const __m128i backslash = _mm_cmpeq_epi8(vector_, _mm_set1_epi8('\\'));
    const int flags = _mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, backslash)));
    return static_cast<std::size_t>(std::countr_zero(static_cast<unsigned>(flags) | 0x10000U));
  }

 private:
  __m128i vector_;
};
using WidestChunk = VectorChunk;
#else
using WidestChunk = WordChunk;
#endif

/// Writes `text` escaped, without quotes; needs room for most_escaped(). Returns the end.
template <class Chunk = WidestChunk>
auto escape(char* out, std::string_view text) -> char* {
  const char* in = text.data();
  const char* const end = in + text.size();
  while (end - in >= static_cast<std::ptrdiff_t>(Chunk::kSize)) {
    const Chunk chunk(in);
    chunk.store(out);
    const std::size_t clean = chunk.clean();
    in += clean;
    out += clean;
    if (clean < Chunk::kSize) {
      out = escape_byte(out, *in++);
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
  } else if constexpr (Chunk::kSize > WordChunk::kSize) {
    if (rest >= WordChunk::kSize) {
      return escape<WordChunk>(out, text);
    }
  }
  while (in != end) {
    out = escape_byte(out, *in++);
  }
  return out;
}

}  // namespace query::detail
