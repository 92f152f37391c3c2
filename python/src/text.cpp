#include "text.hpp"

#include "datetimes.hpp"
#include "types.hpp"

namespace query::python {

namespace {

auto str_of(py::handle value) -> std::string { return std::string(utf8_of(py::str(value))); }

}  // namespace

auto type_name_of(py::handle value) -> std::string { return Py_TYPE(value.ptr())->tp_name; }

auto utf8_of(py::handle text) -> std::string_view {
  Py_ssize_t size = 0;
  const char* data = PyUnicode_AsUTF8AndSize(text.ptr(), &size);
  if (data == nullptr) {
    if (PyErr_ExceptionMatches(PyExc_UnicodeEncodeError) == 0) {
      throw py::error_already_set();
    }
    PyErr_Clear();
    throw py::value_error("a str with a lone surrogate cannot be sent");
  }
  return {data, static_cast<std::size_t>(size)};
}

auto digits_of(py::handle number) -> std::string {
  const auto text = py::reinterpret_steal<py::object>(PyNumber_ToBase(number.ptr(), 10));
  if (!text) {
    throw py::error_already_set();
  }
  return std::string(utf8_of(text));
}

auto is_decimal(py::handle value) -> bool {
  return PyObject_TypeCheck(value.ptr(), reinterpret_cast<PyTypeObject*>(types().decimal.ptr())) !=
         0;
}

auto decimal_text_of(py::handle decimal, bool& finite) -> std::string {
  finite = py::cast<bool>(decimal.attr("is_finite")());
  if (!finite && py::cast<bool>(decimal.attr("is_nan")())) {
    return "NaN";  // PostgreSQL knows no signed and no signalling one
  }
  return str_of(decimal);
}

auto bytes_of(py::handle value) -> std::optional<std::string> {
  PyObject* object = value.ptr();
  if (PyBytes_Check(object) == 0 && PyByteArray_Check(object) == 0 &&
      PyMemoryView_Check(object) == 0) {
    return std::nullopt;
  }
  Py_buffer view;
  // A memoryview with gaps is copied into one piece by PyBuffer_ToContiguous.
  if (PyObject_GetBuffer(object, &view, PyBUF_FULL_RO) != 0) {
    throw py::error_already_set();
  }
  std::string bytes(static_cast<std::size_t>(view.len), '\0');
  const int failed = PyBuffer_ToContiguous(bytes.data(), &view, view.len, 'C');
  PyBuffer_Release(&view);
  if (failed != 0) {
    throw py::error_already_set();
  }
  return bytes;
}

auto text_of(py::handle value) -> std::optional<std::string> {
  if (PyObject_TypeCheck(value.ptr(), reinterpret_cast<PyTypeObject*>(types().uuid.ptr())) != 0) {
    return str_of(value);
  }
  return datetime_text_of(value);
}

}  // namespace query::python
