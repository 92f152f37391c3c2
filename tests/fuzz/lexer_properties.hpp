#pragma once

#include <cstddef>
#include <cstdlib>
#include <string_view>

#include "sql_lexer.hpp"
#include "statement_text.hpp"

/// What holds for any text: it has an end, its tokens lie in it in order, what stands between two
/// of them is blank or a comment, and nothing that is said of it needs it to be SQL. True where it
/// does.
inline auto lexer_holds(std::string_view sql) -> bool {
  using query::detail::SqlToken;
  query::detail::SqlLexer lexer(sql);
  const char* place = sql.data();
  const char* const end = sql.data() + sql.size();
  for (std::size_t tokens = 0; tokens <= sql.size(); ++tokens) {
    const SqlToken token = lexer.next();
    if (token.kind == SqlToken::Kind::kEnd || token.kind == SqlToken::Kind::kUnclear) {
      (void)query::detail::examine(sql);
      (void)query::detail::may_change_catalog(sql);
      return lexer.next().kind == token.kind;
    }
    const bool quoted = token.kind == SqlToken::Kind::kQuotedName;
    const char* const begin = token.text.data() - (quoted ? 1 : 0);
    const char* const behind = token.text.data() + token.text.size() + (quoted ? 1 : 0);
    if (token.text.empty() || begin < place || behind > end) {
      return false;
    }
    const std::string_view gap(place, static_cast<std::size_t>(begin - place));
    if (gap.find_first_not_of(" \t\n\r\f\v") != std::string_view::npos &&
        gap.find("--") == std::string_view::npos && gap.find("/*") == std::string_view::npos) {
      return false;
    }
    place = behind;
  }
  return false;
}
