#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "request.hpp"

namespace query::server {

/// One token of a JSON text that is a whole value, or the opening of an array or object.
struct Token {
  enum class Kind : std::uint8_t { kNull, kBool, kInteger, kFloat, kString, kArray, kObject };
  Kind kind;
  std::string_view text;  ///< a number exactly as written, a string's content, true or false

  /// For an error message: "an array", "the number 7".
  [[nodiscard]] auto named() const -> std::string;
};

/// Throws BadRequest where a text holds U+0000, which PostgreSQL cannot store.
void refuse_nul(std::string_view text, const std::string& where);

/// "member" must be …, not …: throws BadRequest.
[[noreturn]] void refuse_type(std::string_view member, const Token& token, std::string_view right);

/// Takes the value of a member that is an option (not sql, params or batch). Throws BadRequest.
void set_option(QueryRequest& request, std::string_view member, const Token& token);

}  // namespace query::server
