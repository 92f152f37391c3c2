#include "bound_values.hpp"

#include <algorithm>
#include <stdexcept>

#include "array_literal.hpp"
#include "json_type.hpp"

namespace query::detail {

auto has_json(const Params& params) -> bool {
  for (std::size_t i = 0; i < params.size(); ++i) {
    if (params[i].kind == Params::Kind::kJson) {
      return true;
    }
  }
  return false;
}

BoundValues::BoundValues(const Params& params, const std::vector<JsonTarget>* targets) {
  constexpr std::size_t kMost = 65535;  // an Int16 in the Bind message
  if (params.size() > kMost) {
    throw std::invalid_argument("a statement takes at most 65535 parameters, not " +
                                std::to_string(params.size()));
  }
  pointers_.reserve(params.size());
  for (std::size_t i = 0; i < params.size(); ++i) {
    pointers_.push_back(text_of(params[i], i, targets));
  }
}

auto BoundValues::text_of(const Params::Value& value, std::size_t index,
                          const std::vector<JsonTarget>* targets) -> const char* {
  if (value.kind == Params::Kind::kNull) {
    return nullptr;
  }
  if (value.kind == Params::Kind::kText || targets == nullptr || index >= targets->size() ||
      (*targets)[index] == JsonTarget::kText) {
    return value.text.c_str();
  }
  try {
    const auto elements = (*targets)[index] == JsonTarget::kArrayOfJson ? ArrayElements::kJson
                                                                        : ArrayElements::kValues;
    return converted_.emplace_back(to_array_literal(value.text, elements)).c_str();
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument("parameter $" + std::to_string(index + 1) + ": " + error.what());
  }
}

DescribedParams::DescribedParams(const PGresult* description) {
  const int count = PQnparams(description);
  for (int i = 0; i < count; ++i) {
    const Oid type = PQparamtype(description, i);
    types.push_back(type);
    const TypeInfo info = type_info(type);
    if (info.is_array) {
      const bool of_json = info.kind == ValueKind::kJson || info.kind == ValueKind::kJsonb;
      targets.push_back(of_json ? JsonTarget::kArrayOfJson : JsonTarget::kArray);
    } else {
      targets.push_back(JsonTarget::kText);
      if (info.name.empty()) {
        unknown.push_back(type);
      }
    }
  }
}

void DescribedParams::learn(const std::vector<Oid>& arrays) {
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (std::find(arrays.begin(), arrays.end(), types[i]) != arrays.end()) {
      targets[i] = JsonTarget::kArray;
    }
  }
}

}  // namespace query::detail
