#include "statement_text.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>
#include <vector>

#include "sql_lexer.hpp"

namespace query::detail {

namespace {

using Kind = SqlToken::Kind;

/// Words that may stand before a parenthesis without calling anything of that name: SQL's own
/// syntax, and what calls only built-in code (COALESCE, EXTRACT …) or names a built-in type.
constexpr std::array<std::string_view, 100> kNotCalls = {"all",
                                                         "and",
                                                         "any",
                                                         "array",
                                                         "as",
                                                         "between",
                                                         "bigint",
                                                         "bit",
                                                         "by",
                                                         "case",
                                                         "cast",
                                                         "char",
                                                         "character",
                                                         "coalesce",
                                                         "cube",
                                                         "current_time",
                                                         "current_timestamp",
                                                         "dec",
                                                         "decimal",
                                                         "distinct",
                                                         "double",
                                                         "else",
                                                         "escape",
                                                         "except",
                                                         "exists",
                                                         "extract",
                                                         "fetch",
                                                         "filter",
                                                         "first",
                                                         "float",
                                                         "for",
                                                         "from",
                                                         "full",
                                                         "greatest",
                                                         "group",
                                                         "grouping",
                                                         "having",
                                                         "ilike",
                                                         "in",
                                                         "inner",
                                                         "int",
                                                         "integer",
                                                         "intersect",
                                                         "interval",
                                                         "is",
                                                         "isnull",
                                                         "join",
                                                         "lateral",
                                                         "least",
                                                         "left",
                                                         "like",
                                                         "limit",
                                                         "localtime",
                                                         "localtimestamp",
                                                         "materialized",
                                                         "national",
                                                         "natural",
                                                         "nchar",
                                                         "next",
                                                         "normalize",
                                                         "not",
                                                         "notnull",
                                                         "nullif",
                                                         "numeric",
                                                         "offset",
                                                         "on",
                                                         "only",
                                                         "operator",
                                                         "or",
                                                         "ordinality",
                                                         "outer",
                                                         "over",
                                                         "overlay",
                                                         "partition",
                                                         "position",
                                                         "precision",
                                                         "recursive",
                                                         "right",
                                                         "rollup",
                                                         "row",
                                                         "select",
                                                         "sets",
                                                         "similar",
                                                         "some",
                                                         "substring",
                                                         "symmetric",
                                                         "then",
                                                         "time",
                                                         "timestamp",
                                                         "trim",
                                                         "union",
                                                         "using",
                                                         "values",
                                                         "varchar",
                                                         "varying",
                                                         "when",
                                                         "where",
                                                         "window",
                                                         "within",
                                                         "zone"};

/// A query with one of these somewhere writes, locks, or makes a table.
constexpr std::array<std::string_view, 6> kWriting = {"delete", "insert", "into",
                                                      "merge",  "share",  "update"};

/// First words of statements that do more than read, and do not make what a query could run.
constexpr std::array<std::string_view, 28> kKeeping = {
    "abort",     "analyze", "begin", "checkpoint", "close",    "commit", "deallocate",
    "declare",   "delete",  "end",   "explain",    "fetch",    "insert", "listen",
    "lock",      "merge",   "move",  "notify",     "release",  "reset",  "rollback",
    "savepoint", "set",     "show",  "start",      "unlisten", "update", "vacuum"};

constexpr std::array<std::string_view, 4> kReading = {"select", "table", "values", "with"};

template <std::size_t N>
auto has(const std::array<std::string_view, N>& words, std::string_view word) -> bool {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// As PostgreSQL folds it: ASCII letters only.
auto folded(const SqlToken& token) -> std::string {
  std::string name(token.text);
  if (token.kind == Kind::kWord) {
    for (char& c : name) {
      c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
  }
  return name;
}

auto is_name(const SqlToken& token) -> bool {
  return token.kind == Kind::kWord || token.kind == Kind::kQuotedName;
}

/// The first word in lower case; parentheses may stand before it. One statement a text is all that
/// the protocol lets through, so this tells what it is.
auto verb_of(std::string_view sql) -> std::string {
  SqlLexer lexer(sql);
  SqlToken token = lexer.next();
  while (token.is('(')) {
    token = lexer.next();
  }
  return token.kind == Kind::kWord ? folded(token) : "";
}

/// Whether the name behind is an alias with a list of columns: `AS v(a, b)`, `(VALUES …) v(a, b)`,
/// `WITH n(i) AS`. (In DISTINCT ON (a) f(a) it is not; f is then judged as a name, not as a call.)
auto names_columns_behind(const SqlToken& token) -> bool {
  constexpr std::array<std::string_view, 3> kBeforeAlias = {"as", "recursive", "with"};
  return token.is(')') || (token.kind == Kind::kWord && has(kBeforeAlias, folded(token)));
}

auto tokens_of(std::string_view sql) -> std::vector<SqlToken> {
  std::vector<SqlToken> tokens;
  SqlLexer lexer(sql);
  do {
    tokens.push_back(lexer.next());
  } while (tokens.back().kind != Kind::kEnd && tokens.back().kind != Kind::kUnclear);
  return tokens;
}

}  // namespace

auto may_change_catalog(std::string_view sql) -> bool {
  const std::string verb = verb_of(sql);
  return !has(kKeeping, verb) && !has(kReading, verb);
}

auto examine(std::string_view sql) -> StatementText {
  StatementText text;
  if (!has(kReading, verb_of(sql))) {
    return text;
  }
  const std::vector<SqlToken> tokens = tokens_of(sql);
  for (std::size_t i = 0; tokens[i].kind != Kind::kEnd; ++i) {
    const SqlToken& token = tokens[i];
    if (token.kind == Kind::kUnclear) {
      return {};
    }
    const SqlToken& behind = tokens[i + 1];
    if (token.is(';') && behind.kind != Kind::kEnd) {
      return {};
    }
    if (!is_name(token)) {
      continue;
    }
    std::string name = folded(token);
    const bool keyword = token.kind == Kind::kWord;
    if (keyword && has(kWriting, name)) {
      return {};
    }
    if (behind.is('(') && !(keyword && has(kNotCalls, name)) &&
        !(i > 0 && names_columns_behind(tokens[i - 1]))) {
      text.calls.insert(name);
    }
    text.names.insert(std::move(name));
  }
  text.reads = true;
  return text;
}

}  // namespace query::detail
