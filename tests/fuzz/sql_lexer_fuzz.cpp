// The SQL lexer under libFuzzer (clang): make fuzz.

#include <cstdint>
#include <cstdlib>

#include "lexer_properties.hpp"

extern "C" auto LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) -> int {
  if (!lexer_holds({reinterpret_cast<const char*>(data), size})) {
    std::abort();
  }
  return 0;
}
