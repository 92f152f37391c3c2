#pragma once

#include <string_view>

#include "python.hpp"

namespace query::python {

// PostgreSQL's text to Python values. All need the GIL, return a new reference, and nullptr with
// Python's error set only where memory ran out. A value that its Python type cannot hold
// (infinity, a date BC, 24:00:00) is the str that PostgreSQL sent.

using Decode = auto(*)(std::string_view text) -> PyObject*;

/// How a column's values become Python's.
struct Decoder {
  Decode decode;          ///< one value, or one element of an array
  char delimiter = '\0';  ///< of an array; 0 where the type is none

  [[nodiscard]] auto operator()(std::string_view text) const -> PyObject*;
};

[[nodiscard]] auto decoder_of(Oid type) -> Decoder;

auto decode_str(std::string_view text) -> PyObject*;

// arrays.cpp
auto decode_array(std::string_view text, Decode element, char delimiter) -> PyObject*;

/// int2vector and oidvector, "1 2 3".
auto decode_vector(std::string_view text) -> PyObject*;

}  // namespace query::python
