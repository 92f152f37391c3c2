#pragma once

#include <set>
#include <string>
#include <string_view>

namespace query::detail {

/// What can be said of a statement by its text alone, without the catalog.
struct StatementText {
  /// It is one SELECT, VALUES or TABLE, without locks, INTO, or a WITH that writes. The rest is
  /// known of such statements only; identifiers as the catalog spells them.
  bool reads = false;

  std::set<std::string> calls{};  ///< what stands as a function's name before a parenthesis
  std::set<std::string> names{};  ///< every identifier, keywords among them
};

/// Never guesses: what is not understood does not read.
[[nodiscard]] auto examine(std::string_view sql) -> StatementText;

/// Whether a statement may make or change what a query could run: a function, a view, a type …
[[nodiscard]] auto may_change_catalog(std::string_view sql) -> bool;

}  // namespace query::detail
