#include "params.hpp"

#include <span>
#include <string>

#include "json_text.hpp"
#include "text.hpp"

namespace query::python {

namespace {

void add(Params& params, py::handle value) {
  PyObject* object = value.ptr();
  if (value.is_none()) {
    params.add(nullptr);
  } else if (PyBool_Check(object)) {
    params.add(object == Py_True);
  } else if (PyLong_Check(object)) {
    params.add(digits_of(value));
  } else if (PyFloat_Check(object)) {
    params.add(PyFloat_AS_DOUBLE(object));
  } else if (PyUnicode_Check(object)) {
    params.add(utf8_of(value));
  } else if (PyList_Check(object) || PyTuple_Check(object) || PyDict_Check(object)) {
    params.add_json(json_text_of(value));
  } else if (is_decimal(value)) {
    bool finite = true;
    params.add(decimal_text_of(value, finite));
  } else if (const auto bytes = bytes_of(value)) {
    params.add(std::as_bytes(std::span(*bytes)));
  } else if (const auto text = text_of(value)) {
    params.add(*text);
  } else {
    throw py::type_error("cannot send a value of type '" + type_name_of(value) + "'");
  }
}

}  // namespace

auto params_of(py::handle values) -> Params {
  Params params;
  if (values.is_none()) {
    return params;
  }
  if (PyList_Check(values.ptr()) == 0 && PyTuple_Check(values.ptr()) == 0) {
    throw py::type_error("params must be a list or a tuple, not " + type_name_of(values));
  }
  // A copy, for a value's own code (a subclass's isoformat) could change the list.
  const auto fixed = py::reinterpret_steal<py::tuple>(PySequence_Tuple(values.ptr()));
  if (!fixed) {
    throw py::error_already_set();
  }
  for (const py::handle value : fixed) {
    const auto where = [&params] {
      return "parameter $" + std::to_string(params.size() + 1) + ": ";
    };
    try {
      add(params, value);
    } catch (const py::type_error& error) {
      throw py::type_error(where() + error.what());
    } catch (const py::value_error& error) {
      throw py::value_error(where() + error.what());
    }
  }
  return params;
}

}  // namespace query::python
