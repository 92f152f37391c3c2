#include "sql_lexer.hpp"

#include <array>
#include <random>
#include <string>
#include <string_view>

#include "catch.hpp"
#include "fuzz/lexer_properties.hpp"

using query::detail::SqlLexer;
using query::detail::SqlToken;

namespace {

auto mark(SqlToken::Kind kind) -> std::string {
  switch (kind) {
    case SqlToken::Kind::kWord:
      return "w";
    case SqlToken::Kind::kQuotedName:
      return "q";
    case SqlToken::Kind::kString:
      return "s";
    case SqlToken::Kind::kNumber:
      return "n";
    case SqlToken::Kind::kParameter:
      return "p";
    case SqlToken::Kind::kOperator:
      return "o";
    case SqlToken::Kind::kPunctuation:
      return "";
    case SqlToken::Kind::kEnd:
      return "";
    case SqlToken::Kind::kUnclear:
      return "?";
  }
  return "!";
}

/// The tokens in short: `w:select n:1`.
auto lexed(std::string_view sql) -> std::string {
  SqlLexer lexer(sql);
  std::string out;
  for (;;) {
    const SqlToken token = lexer.next();
    if (token.kind == SqlToken::Kind::kEnd) {
      return out;
    }
    out += out.empty() ? "" : " ";
    out += mark(token.kind);
    if (token.kind == SqlToken::Kind::kUnclear) {
      return out;
    }
    out += token.kind == SqlToken::Kind::kPunctuation ? "" : ":";
    out += token.text;
  }
}

}  // namespace

TEST_CASE("SQL is cut into PostgreSQL's own tokens", "[sql_lexer]") {
  const auto [sql, tokens] = GENERATE(table<std::string, std::string>({
      {"", ""},
      {" \t\r\n\f", ""},
      {"select 1", "w:select n:1"},
      {"Select_1$a", "w:Select_1$a"},
      {"größe", "w:größe"},
      // Strings.
      {"'a''b'", "s:'a''b'"},
      {"''", "s:''"},
      {"'a' 'b'", "s:'a' s:'b'"},
      {"e'a\\'b'", "s:e'a\\'b'"},
      {"E'\\\\' x", "s:E'\\\\' w:x"},
      {"e'a''b'", "s:e'a''b'"},
      {"e 'a'", "w:e s:'a'"},
      {"ae'a'", "w:ae s:'a'"},
      {"b'01' X'1f' n'x'", "s:b'01' s:X'1f' s:n'x'"},
      {"'a\\b'", "?"},
      {"'a\\'", "?"},
      {"'a", "?"},
      {"e'a\\'", "?"},
      {"u&'a'", "?"},
      {"U&\"a\"", "?"},
      {"u & 'a'", "w:u o:& s:'a'"},
      // Dollar quotes.
      {"$$a'b$$ x", "s:$$a'b$$ w:x"},
      {"$t$a$$b$t$", "s:$t$a$$b$t$"},
      {"$t1$a$t1$", "s:$t1$a$t1$"},
      {"a$b$", "w:a$b$"},
      {"$t$a", "?"},
      {"$T$a$t$", "?"},
      {"$ 1", "?"},
      {"$1", "p:$1"},
      {"$12+$3", "p:$12 o:+ p:$3"},
      {"$1$x$", "?"},
      {"$1a", "?"},
      // Comments.
      {"a--b\nc", "w:a w:c"},
      {"a--b\rc", "w:a w:c"},
      {"a--b", "w:a"},
      {"a/*b*/c", "w:a w:c"},
      {"a/*/*b*/c*/d", "w:a w:d"},
      {"a/*/*b*/c", "w:a ?"},
      {"/*'*/ 'x/*' ", "s:'x/*'"},
      {"/* -- */ a", "w:a"},
      // Quoted names.
      {"\"a b\"", "q:a b"},
      {"\"a\"\"b\"", "?"},
      {"\"\"", "?"},
      {"\"a", "?"},
      {"\"a'\"'\"'", "q:a' s:'\"'"},
      // Numbers.
      {"1.5 .5 1. 1e5 1.5e-3 1E+2", "n:1.5 n:.5 n:1. n:1e5 n:1.5e-3 n:1E+2"},
      {"1..2", "n:1 .. n:2"},
      {"a[1:2]", "w:a [ n:1 : n:2 ]"},
      {"t.a", "w:t . w:a"},
      {"1a", "?"},
      {"1e", "?"},
      {"0x1F", "?"},
      {"1_000", "?"},
      // Operators.
      {"a+-1", "w:a o:+ o:- n:1"},
      {"a@-1", "w:a o:@- n:1"},
      {"a=-1", "w:a o:= o:- n:1"},
      {"a<>b", "w:a o:<> w:b"},
      {"a->>'x'", "w:a o:->> s:'x'"},
      {"a*/*c*/b", "w:a o:* w:b"},
      {"a<--b\n2", "w:a o:< n:2"},
      {"a||b", "w:a o:|| w:b"},
      {"a::text", "w:a :: w:text"},
      {"a := 1", "w:a := n:1"},
      {"f(a, b);", "w:f ( w:a , w:b ) ;"},
      // Nothing of SQL's.
      {"a\\b", "w:a ?"},
      {"{", "?"},
      {"a\x01", "w:a ?"},
  }));
  CAPTURE(sql);
  CHECK(lexed(sql) == tokens);
}

TEST_CASE("a name longer than the server keeps is unclear", "[sql_lexer]") {
  const std::string longest(63, 'n');
  CHECK(lexed(longest) == "w:" + longest);
  CHECK(lexed(longest + "n") == "?");
  CHECK(lexed("\"" + longest + "\"") == "q:" + longest);
  CHECK(lexed("\"" + longest + "n\"") == "?");
}

TEST_CASE("any text has an end, and its tokens lie in it in order", "[sql_lexer]") {
  constexpr std::array<std::string_view, 44> kFragments = {
      "select", "'",   "''", "\\", "e'", "E'", "u&'",  "U&\"", "\"", "\"\"", "$",
      "$$",     "$a$", "$1", "--", "\n", "\r", "/*",   "*/",   "/",  "*",    "+",
      "-",      "@",   "::", ":",  ".",  "..", "1",    "1e",   "0x", "_",    "a",
      "(",      ")",   ";",  ",",  " ",  "\t", "\xc3", "\xa9", "b'", "{",    "\x01"};
  std::mt19937 random(20261123);
  for (int round = 0; round < 200'000; ++round) {
    std::string sql;
    for (std::size_t i = random() % 12; i > 0; --i) {
      sql += kFragments[random() % kFragments.size()];
    }
    CAPTURE(sql);
    REQUIRE(lexer_holds(sql));
  }
}
