#pragma once

#include <Python.h>
#include <pybind11/pybind11.h>

#include <query/query.hpp>

namespace query::python {

namespace py = pybind11;

/// The extension's classes are plain Python classes, without pybind11's own metaclass: they have no
/// static properties, which are all that it is for.
[[nodiscard]] inline auto plain_class() -> py::metaclass {
  return py::metaclass(reinterpret_cast<PyObject*>(&PyType_Type));
}

// One function per subject, each called once by module.cpp.
void register_errors();
void register_pool(py::module_& module);
void register_transaction(py::module_& module);
void register_stream(py::module_& module);

}  // namespace query::python
