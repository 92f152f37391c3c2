#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>

namespace query::detail {

/// Copies a text that is short as a rule: a few instructions where memcpy would be a call.
inline auto copy(char* out, std::string_view text) -> char* {
  const std::size_t size = text.size();
  const char* const in = text.data();
  if (size > 32) {
    std::memcpy(out, in, size);
  } else if (size > 16) {
    std::memcpy(out, in, 16);
    std::memcpy(out + size - 16, in + size - 16, 16);
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

}  // namespace query::detail
