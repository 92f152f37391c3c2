#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "libpq.hpp"
#include "statement_text.hpp"

namespace query::detail {

/// What the catalog says of names: whether a statement that uses them runs any code that could
/// leave a trace in the session. One reading of it; a value.
class CatalogNames {
 public:
  /// The question; for any PostgreSQL from version 13.
  [[nodiscard]] static auto question() -> const char*;

  /// From its answer.
  explicit CatalogNames(const PGresult* answer);

  /// Whether all that the statement runs is built in, and neither writes nor depends on the
  /// session.
  [[nodiscard]] auto prove(const StatementText& statement) const -> bool;

  [[nodiscard]] auto operator==(const CatalogNames&) const -> bool = default;

 private:
  using Names = std::unordered_set<std::string>;

  bool closed_ = false;  // nothing can be proven in this database
  Names callable_;       // every function of the name is built in and not volatile
  Names suspect_;        // must not occur: other functions, views …
};

}  // namespace query::detail
