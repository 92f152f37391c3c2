#pragma once

#include <string>
#include <string_view>

namespace query::detail {

/// The word that a statement begins with, in lower case: what stands behind white space, comments
/// (nested ones too) and empty statements. Empty where no letter comes first.
/// PostgreSQL manual, "Lexical Structure".
[[nodiscard]] auto first_word(std::string_view sql) -> std::string;

}  // namespace query::detail
