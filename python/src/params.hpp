#pragma once

#include "python.hpp"

namespace query::python {

/// A list or tuple of Python values, or None, as the parameters of a statement. Needs the GIL.
/// Throws TypeError or ValueError that names the parameter.
[[nodiscard]] auto params_of(py::handle values) -> Params;

}  // namespace query::python
