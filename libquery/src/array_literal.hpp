#pragma once

#include <string>
#include <string_view>

namespace query::detail {

/// What the elements of the outermost array are written as.
enum class ArrayElements { kValues, kJson };

/// A JSON array as PostgreSQL's array literal: `[1,null,["a"]]` → `{1,NULL,{"a"}}`. Numbers are
/// copied as written; an object becomes its JSON text. With kJson every element but null keeps
/// its JSON text, as json[] wants it. Anything but an array is returned as it is, for PostgreSQL to
/// judge. Throws std::invalid_argument for text that is no JSON, and for U+0000.
[[nodiscard]] auto to_array_literal(std::string_view json, ArrayElements elements) -> std::string;

}  // namespace query::detail
