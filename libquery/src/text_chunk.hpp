#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace query::detail {

// Text is taken in chunks of several bytes, which are looked at all at once. A text of half a chunk
// to a whole one fits into a chunk by its two ends, which may overlap.

/// Eight bytes in a word.
class WordChunk {
 public:
  static constexpr std::size_t kSize = 8;

  explicit WordChunk(const char* in) { std::memcpy(&word_, in, kSize); }
  static auto of_ends(const char* in, std::size_t size) -> WordChunk {
    std::array<char, kSize> ends{};
    std::memcpy(ends.data(), in, kHalf);
    std::memcpy(ends.data() + kHalf, in + size - kHalf, kHalf);
    return WordChunk(ends.data());
  }

  void store(char* out) const { std::memcpy(out, &word_, kSize); }
  void store_ends(char* out, std::size_t size) const {
    std::array<char, kSize> ends{};
    store(ends.data());
    std::memcpy(out, ends.data(), kHalf);
    std::memcpy(out + size - kHalf, ends.data() + kHalf, kHalf);
  }

  /// How many bytes come before the first that JSON escapes.
  [[nodiscard]] auto clean() const -> std::size_t {
    const std::uint64_t flags =
        ((word_ - kOnes * 0x20) & ~word_ & kHighs) | equal('"') | equal('\\');
    if constexpr (std::endian::native == std::endian::little) {
      return static_cast<std::size_t>(std::countr_zero(flags)) / 8;
    }
    return flags == 0 ? kSize : 0;  // one byte at a time through what is not clean
  }

  /// Whether there is nothing that CSV quotes.
  [[nodiscard]] auto plain() const -> bool {
    return (equal(',') | equal('"') | equal('\r') | equal('\n')) == 0;
  }

 private:
  static constexpr std::size_t kHalf = kSize / 2;
  static constexpr std::uint64_t kOnes = 0x0101010101010101;
  static constexpr std::uint64_t kHighs = 0x8080808080808080;

  /// Flags the bytes that are `c`. Borrows may flag bytes above the lowest flag wrongly, so only
  /// the lowest counts.
  [[nodiscard]] auto equal(char c) const -> std::uint64_t {
    const std::uint64_t v = word_ ^ (kOnes * static_cast<unsigned char>(c));
    return (v - kOnes) & ~v & kHighs;
  }

  std::uint64_t word_ = 0;
};

#if defined(__SSE2__)
/// Sixteen bytes in a vector.
class VectorChunk {
 public:
  static constexpr std::size_t kSize = 16;

  explicit VectorChunk(const char* in)
      : vector_(_mm_loadu_si128(reinterpret_cast<const __m128i*>(in))) {}
  static auto of_ends(const char* in, std::size_t size) -> VectorChunk {
    return VectorChunk(_mm_unpacklo_epi64(_mm_loadu_si64(in), _mm_loadu_si64(in + size - kHalf)));
  }

  void store(char* out) const { _mm_storeu_si128(reinterpret_cast<__m128i*>(out), vector_); }
  void store_ends(char* out, std::size_t size) const {
    _mm_storeu_si64(out, vector_);
    _mm_storeu_si64(out + size - kHalf, _mm_unpackhi_epi64(vector_, vector_));
  }

  [[nodiscard]] auto clean() const -> std::size_t {
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(vector_, _mm_set1_epi8(0x1f)), vector_);
    const __m128i flags = _mm_or_si128(control, _mm_or_si128(equal('"'), equal('\\')));
    return static_cast<std::size_t>(
        std::countr_zero(static_cast<unsigned>(_mm_movemask_epi8(flags)) | 0x10000U));
  }

  [[nodiscard]] auto plain() const -> bool {
    return _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(equal(','), equal('"')),
                                          _mm_or_si128(equal('\r'), equal('\n')))) == 0;
  }

 private:
  static constexpr std::size_t kHalf = kSize / 2;

  explicit VectorChunk(__m128i vector) : vector_(vector) {}

  [[nodiscard]] auto equal(char c) const -> __m128i {
    return _mm_cmpeq_epi8(vector_, _mm_set1_epi8(c));
  }

  __m128i vector_;
};
using WidestChunk = VectorChunk;
#else
using WidestChunk = WordChunk;
#endif

}  // namespace query::detail
