#include "first_word.hpp"

#include <algorithm>
#include <cstddef>

namespace query::detail {

namespace {

/// Behind the block comment that `sql` begins with; they nest.
auto skip_block_comment(std::string_view sql) -> std::string_view {
  std::size_t depth = 0;
  while (!sql.empty()) {
    if (sql.starts_with("/*")) {
      ++depth;
      sql.remove_prefix(2);
    } else if (sql.starts_with("*/")) {
      --depth;
      sql.remove_prefix(2);
      if (depth == 0) {
        break;
      }
    } else {
      sql.remove_prefix(1);
    }
  }
  return sql;
}

}  // namespace

auto first_word(std::string_view sql) -> std::string {
  for (;;) {
    sql.remove_prefix(std::min(sql.find_first_not_of(" \t\n\r\f\v;"), sql.size()));
    if (sql.starts_with("--")) {
      sql.remove_prefix(std::min(sql.find_first_of("\n\r"), sql.size()));
    } else if (sql.starts_with("/*")) {
      sql = skip_block_comment(sql);
    } else {
      break;
    }
  }
  std::string word;
  for (const char c : sql) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (lower < 'a' || lower > 'z') {
      break;
    }
    word.push_back(lower);
  }
  return word;
}

}  // namespace query::detail
