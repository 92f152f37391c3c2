#include "csv_text.hpp"

namespace query::detail {

auto write_csv_quoted(char* out, std::string_view text) -> char* {
  *out++ = '"';
  for (const char c : text) {
    if (c == '"') {
      *out++ = '"';
    }
    *out++ = c;
  }
  *out++ = '"';
  return out;
}

void append_csv_value(Buffer& out, std::string_view text, bool alone) {
  if (is_csv_quoted(text, alone)) {
    out.commit(write_csv_quoted(out.reserve(most_csv(text.size())), text));
  } else {
    out.append(text);
  }
}

}  // namespace query::detail
