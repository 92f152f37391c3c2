#include "request_members.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <utility>

#include "json_text.hpp"

namespace query::server {
namespace {

constexpr std::array<std::pair<std::string_view, Isolation>, 3> kIsolations = {
    {{"read committed", Isolation::kReadCommitted},
     {"repeatable read", Isolation::kRepeatableRead},
     {"serializable", Isolation::kSerializable}}};

/// A string that is none of the words that may stand there.
[[noreturn]] void refuse_word(std::string_view member, std::string_view word,
                              std::string_view right) {
  std::string quoted;
  append_json_string(quoted, word.substr(0, 100));
  throw BadRequest("\"" + std::string(member) + "\" must be " + std::string(right) + ", not " +
                   quoted);
}

template <class T>
auto one_of(std::string_view member, const Token& token, std::string_view a, T if_a,
            std::string_view b, T if_b) -> T {
  if (token.kind == Token::Kind::kString && (token.text == a || token.text == b)) {
    return token.text == a ? if_a : if_b;
  }
  const std::string right = "\"" + std::string(a) + "\" or \"" + std::string(b) + "\"";
  if (token.kind != Token::Kind::kString) {
    refuse_type(member, token, right);
  }
  refuse_word(member, token.text, right);
}

auto whole_number(std::string_view member, const Token& token, std::int64_t least) -> std::int64_t {
  constexpr std::int64_t kMost = std::int64_t{1} << 53;  // what every JSON writer can write
  const std::string right = "a whole number, at least " + std::to_string(least);
  if (token.kind != Token::Kind::kInteger) {
    refuse_type(member, token, right);
  }
  if (token.text.size() > 16) {
    refuse_type(member, token, right + " and at most " + std::to_string(kMost));
  }
  const std::int64_t number = std::stoll(std::string(token.text));
  if (number < least) {
    refuse_type(member, token, right);
  }
  return std::min(number, kMost);
}

auto isolation(const Token& token) -> Isolation {
  constexpr std::string_view kRight = R"("read committed", "repeatable read" or "serializable")";
  if (token.kind != Token::Kind::kString) {
    refuse_type("isolation", token, kRight);
  }
  for (const auto& [name, level] : kIsolations) {
    if (token.text == name) {
      return level;
    }
  }
  refuse_word("isolation", token.text, kRight);
}

}  // namespace

auto Token::named() const -> std::string {
  switch (kind) {
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return "a boolean";
    case Kind::kInteger:
    case Kind::kFloat:
      return "the number " + std::string(text.substr(0, 40));
    case Kind::kString:
      return "a string";
    case Kind::kArray:
      return "an array";
    case Kind::kObject:
      return "an object";
  }
  return {};
}

void refuse_nul(std::string_view text, const std::string& where) {
  if (text.find('\0') != std::string_view::npos) {
    throw BadRequest(where + " contains U+0000, which PostgreSQL cannot store in a text");
  }
}

void refuse_type(std::string_view member, const Token& token, std::string_view right) {
  throw BadRequest("\"" + std::string(member) + "\" must be " + std::string(right) + ", not " +
                   token.named());
}

void set_option(QueryRequest& request, std::string_view member, const Token& token) {
  if (member == "rows") {
    request.rows = one_of(member, token, "objects", JsonOptions::RowShape::kObjects, "arrays",
                          JsonOptions::RowShape::kArrays);
  } else if (member == "numbers") {
    request.numbers = one_of(member, token, "exact", JsonOptions::Numbers::kExact, "string",
                             JsonOptions::Numbers::kString);
  } else if (member == "timeout_ms") {
    request.timeout = std::chrono::milliseconds(whole_number(member, token, 1));
  } else if (member == "max_rows") {
    request.max_rows = static_cast<std::uint64_t>(whole_number(member, token, 0));
  } else if (member == "read_only") {
    if (token.kind != Token::Kind::kBool) {
      refuse_type(member, token, "true or false");
    }
    request.read_only = token.text == "true";
  } else if (member == "isolation") {
    request.isolation = isolation(token);
  }
}

}  // namespace query::server
