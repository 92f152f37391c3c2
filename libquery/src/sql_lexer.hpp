#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace query::detail {

/// A token of SQL text; a view into it.
struct SqlToken {
  enum class Kind : std::uint8_t {
    kWord,        ///< an identifier without quotes, or a keyword; case as written
    kQuotedName,  ///< an identifier in quotes; `text` is what stands between them
    kString,      ///< any kind of string, dollar quotes included
    kNumber,
    kParameter,  ///< $1
    kOperator,
    kPunctuation,  ///< one of ( ) [ ] , ; . .. : :: :=
    kEnd,
    kUnclear,  ///< not closed, not SQL, or read differently by some server: nothing behind counts
  };
  Kind kind = Kind::kEnd;
  std::string_view text{};

  [[nodiscard]] auto is(char punctuation) const noexcept -> bool {
    return kind == Kind::kPunctuation && text.size() == 1 && text[0] == punctuation;
  }
};

/// Cuts SQL text into the tokens that PostgreSQL's own scanner would see (scan.l; manual, "Lexical
/// Structure"). Where servers or their settings read a text differently it is unclear, never
/// guessed: a backslash in a plain string, U&"…", a number with letters behind it.
///
/// Allocates nothing. `sql` must stay.
class SqlLexer {
 public:
  explicit SqlLexer(std::string_view sql) noexcept : rest_(sql) {}

  /// The next token; kEnd, or kUnclear, again and again once it was reached.
  [[nodiscard]] auto next() noexcept -> SqlToken;

 private:
  auto skip_blank() noexcept -> bool;
  auto skip_block_comment() noexcept -> bool;
  auto take(SqlToken::Kind kind, std::size_t size) noexcept -> SqlToken;
  auto take_quoted(std::size_t prefix, bool backslash_escapes) noexcept -> SqlToken;
  auto take_quoted_name() noexcept -> SqlToken;
  auto take_dollar() noexcept -> SqlToken;
  auto take_number() noexcept -> SqlToken;
  auto take_word() noexcept -> SqlToken;
  auto take_operator() noexcept -> SqlToken;
  auto unclear() noexcept -> SqlToken;

  std::string_view rest_;
  bool unclear_ = false;
};

}  // namespace query::detail
