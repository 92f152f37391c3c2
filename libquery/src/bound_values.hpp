#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <vector>

#include <query/params.hpp>

#include "libpq.hpp"
#include "statement_cache.hpp"

namespace query::detail {

/// Whether what some parameter becomes depends on its type.
[[nodiscard]] auto has_json(const Params& params) -> bool;

/// The values of a statement as libpq wants them; owns what had to be converted, borrows the rest.
/// `targets`: what JSON parameters become, where has_json(). Throws std::invalid_argument.
class BoundValues {
 public:
  BoundValues(const Params& params, const std::vector<JsonTarget>* targets);

  [[nodiscard]] auto pointers() const -> const std::vector<const char*>& { return pointers_; }

 private:
  auto text_of(const Params::Value& value, std::size_t index,
               const std::vector<JsonTarget>* targets) -> const char*;

  std::vector<const char*> pointers_;
  std::deque<std::string> converted_;
};

/// What a prepared statement's description says of its JSON parameters, and which of their types
/// only the catalog knows (Session::array_types).
struct DescribedParams {
  std::vector<JsonTarget> targets;
  std::vector<Oid> types;
  std::vector<Oid> unknown;

  explicit DescribedParams(const PGresult* description);

  /// Takes in which of the unknown are arrays.
  void learn(const std::vector<Oid>& arrays);
};

}  // namespace query::detail
