#include "sql_lexer.hpp"

#include <algorithm>

namespace query::detail {

namespace {

using Kind = SqlToken::Kind;

constexpr std::string_view kBlanks = " \t\n\r\f\v";
constexpr std::string_view kOperatorBytes = "~!@#^&|`?+-*/%<>=";
constexpr std::string_view kSelf = "()[],;.:";
constexpr std::size_t kLongestName = 63;  // a longer one is cut by the server (NAMEDATALEN)

auto is_digit(char c) -> bool { return c >= '0' && c <= '9'; }

auto begins_word(char c) -> bool {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

auto continues_word(char c) -> bool { return begins_word(c) || is_digit(c) || c == '$'; }

template <class Is>
auto run_of(std::string_view text, Is is) -> std::size_t {
  return static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is) - text.begin());
}

auto at(std::string_view text, std::size_t index) -> char {
  return index < text.size() ? text[index] : '\0';
}

}  // namespace

auto SqlLexer::take(Kind kind, std::size_t size) noexcept -> SqlToken {
  const SqlToken token{kind, rest_.substr(0, size)};
  rest_.remove_prefix(size);
  return token;
}

auto SqlLexer::unclear() noexcept -> SqlToken {
  unclear_ = true;
  return {Kind::kUnclear, {}};
}

auto SqlLexer::next() noexcept -> SqlToken {
  if (unclear_ || !skip_blank()) {
    return unclear();
  }
  if (rest_.empty()) {
    return {};
  }
  const char first = rest_.front();
  const char second = at(rest_, 1);
  const auto prefixes_string = [&](std::string_view letters) {
    return letters.find(first) != std::string_view::npos && second == '\'';
  };
  if (first == '\'') {
    return take_quoted(0, false);
  }
  if (prefixes_string("eE")) {
    return take_quoted(1, true);
  }
  if (prefixes_string("bBxXnN")) {
    return take_quoted(1, false);
  }
  if ((first == 'u' || first == 'U') && second == '&' &&
      (at(rest_, 2) == '\'' || at(rest_, 2) == '"')) {
    return unclear();  // its text is told by escapes, and those by what follows it
  }
  if (first == '"') {
    return take_quoted_name();
  }
  if (first == '$') {
    return take_dollar();
  }
  if (is_digit(first) || (first == '.' && is_digit(second))) {
    return take_number();
  }
  if (begins_word(first)) {
    return take_word();
  }
  if (kSelf.find(first) != std::string_view::npos) {
    const bool pair =
        (first == ':' && (second == ':' || second == '=')) || (first == '.' && second == '.');
    return take(Kind::kPunctuation, pair ? 2 : 1);
  }
  if (kOperatorBytes.find(first) != std::string_view::npos) {
    return take_operator();
  }
  return unclear();
}

/// Blanks and comments; false where a comment is not closed.
auto SqlLexer::skip_blank() noexcept -> bool {
  for (;;) {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(kBlanks), rest_.size()));
    if (rest_.starts_with("--")) {
      rest_.remove_prefix(std::min(rest_.find_first_of("\n\r"), rest_.size()));
    } else if (!rest_.starts_with("/*")) {
      return true;
    } else if (!skip_block_comment()) {
      return false;
    }
  }
}

/// They nest.
auto SqlLexer::skip_block_comment() noexcept -> bool {
  std::size_t depth = 0;
  std::size_t i = 0;
  while (i < rest_.size()) {
    if (rest_[i] == '/' && at(rest_, i + 1) == '*') {
      ++depth;
      i += 2;
    } else if (rest_[i] == '*' && at(rest_, i + 1) == '/') {
      i += 2;
      if (--depth == 0) {
        rest_.remove_prefix(i);
        return true;
      }
    } else {
      ++i;
    }
  }
  return false;
}

auto SqlLexer::take_quoted(std::size_t prefix, bool backslash_escapes) noexcept -> SqlToken {
  for (std::size_t i = prefix + 1; i < rest_.size(); ++i) {
    if (rest_[i] == '\\') {
      if (!backslash_escapes) {
        return unclear();  // standard_conforming_strings tells
      }
      ++i;
    } else if (rest_[i] == '\'') {
      if (at(rest_, i + 1) != '\'') {
        return take(Kind::kString, i + 1);
      }
      ++i;
    }
  }
  return unclear();
}

auto SqlLexer::take_quoted_name() noexcept -> SqlToken {
  const std::size_t end = rest_.find('"', 1);
  // Two quotes stand for one: rare enough not to be understood.
  if (end == std::string_view::npos || end == 1 || end - 1 > kLongestName ||
      at(rest_, end + 1) == '"') {
    return unclear();
  }
  SqlToken token = take(Kind::kQuotedName, end + 1);
  token.text = token.text.substr(1, end - 1);
  return token;
}

auto SqlLexer::take_dollar() noexcept -> SqlToken {
  const std::size_t digits = run_of(rest_.substr(1), is_digit);
  if (digits > 0) {
    return continues_word(at(rest_, digits + 1)) ? unclear() : take(Kind::kParameter, digits + 1);
  }
  const std::size_t tag =
      run_of(rest_.substr(1), [](char c) { return begins_word(c) || is_digit(c); });
  if (at(rest_, tag + 1) != '$') {
    return unclear();
  }
  const std::string_view quote = rest_.substr(0, tag + 2);
  const std::size_t end = rest_.find(quote, quote.size());
  return end == std::string_view::npos ? unclear() : take(Kind::kString, end + quote.size());
}

/// Digits, a fraction, an exponent. In `1..2` the dots are no part of it.
auto SqlLexer::take_number() noexcept -> SqlToken {
  std::size_t size = run_of(rest_, is_digit);
  if (at(rest_, size) == '.' && at(rest_, size + 1) != '.') {
    size += 1 + run_of(rest_.substr(size + 1), is_digit);
  }
  if (at(rest_, size) == 'e' || at(rest_, size) == 'E') {
    const std::size_t sign = at(rest_, size + 1) == '+' || at(rest_, size + 1) == '-' ? 1 : 0;
    const std::size_t digits =
        run_of(rest_.substr(std::min(size + 1 + sign, rest_.size())), is_digit);
    size += digits > 0 ? 1 + sign + digits : 0;
  }
  // 0x1F and 1_000 are numbers since version 16, and were a number and an alias before.
  return continues_word(at(rest_, size)) ? unclear() : take(Kind::kNumber, size);
}

auto SqlLexer::take_word() noexcept -> SqlToken {
  const std::size_t size = run_of(rest_, continues_word);
  return size > kLongestName ? unclear() : take(Kind::kWord, size);
}

/// The longest run that no comment begins in; a run of several does not end in + or - unless one
/// of the bytes that SQL's own operators lack is in it.
auto SqlLexer::take_operator() noexcept -> SqlToken {
  std::string_view run = rest_.substr(
      0, run_of(rest_, [](char c) { return kOperatorBytes.find(c) != std::string_view::npos; }));
  run = run.substr(0, std::min(run.find("/*"), run.find("--")));
  if (run.find_first_of("~!@#^&|`?%") == std::string_view::npos) {
    while (run.size() > 1 && (run.back() == '+' || run.back() == '-')) {
      run.remove_suffix(1);
    }
  }
  return take(Kind::kOperator, run.size());
}

}  // namespace query::detail
