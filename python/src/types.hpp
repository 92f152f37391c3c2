#pragma once

#include "python.hpp"

namespace query::python {

/// The Python types and functions that values are made with, looked up once.
struct Types {
  py::object decimal;      ///< decimal.Decimal
  py::object uuid;         ///< uuid.UUID
  py::object decode_json;  ///< libquery._json.decode
  py::object main_thread;  ///< threading.main_thread
};

/// Called once, when the module is imported.
void load_types();

/// Needs the GIL.
[[nodiscard]] auto types() noexcept -> const Types&;

}  // namespace query::python
