#pragma once

#include <string>

#include "python.hpp"

namespace query::python {

/// A list, tuple or dict as JSON text, every number with all its digits. What JSON has no form for
/// is a string as PostgreSQL reads it: dates and times, UUID, bytes (`\x…`), NaN and the
/// infinities. Needs the GIL. Throws TypeError for other values and for keys that are not str.
[[nodiscard]] auto json_text_of(py::handle value) -> std::string;

}  // namespace query::python
