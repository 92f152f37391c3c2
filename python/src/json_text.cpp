#include "json_text.hpp"

#include <cmath>
#include <string_view>

#include "text.hpp"

namespace query::python {

namespace {

constexpr std::string_view kHex = "0123456789abcdef";

/// Turns endless nesting (a list that holds itself) into RecursionError.
class Depth {
 public:
  Depth() {
    if (Py_EnterRecursiveCall(" while turning a parameter into JSON") != 0) {
      throw py::error_already_set();
    }
  }
  Depth(const Depth&) = delete;
  auto operator=(const Depth&) -> Depth& = delete;
  ~Depth() { Py_LeaveRecursiveCall(); }
};

class JsonText {
 public:
  void write(py::handle value) {
    PyObject* object = value.ptr();
    if (value.is_none()) {
      text_ += "null";
    } else if (PyBool_Check(object)) {
      text_ += object == Py_True ? "true" : "false";
    } else if (PyLong_Check(object)) {
      text_ += digits_of(value);
    } else if (PyFloat_Check(object)) {
      write_float(PyFloat_AS_DOUBLE(object));
    } else if (PyUnicode_Check(object)) {
      write_string(utf8_of(value));
    } else if (PyList_Check(object) || PyTuple_Check(object)) {
      write_array(value);
    } else if (PyDict_Check(object)) {
      write_object(value);
    } else if (is_decimal(value)) {
      write_decimal(value);
    } else if (const auto bytes = bytes_of(value)) {
      write_bytes(*bytes);
    } else if (const auto text = text_of(value)) {
      write_string(*text);
    } else {
      throw py::type_error("cannot put a value of type '" + type_name_of(value) + "' into JSON");
    }
  }

  [[nodiscard]] auto take() && -> std::string { return std::move(text_); }

 private:
  void write_float(double number) {
    if (std::isnan(number)) {
      text_ += "\"NaN\"";
    } else if (std::isinf(number)) {
      text_ += number > 0 ? "\"Infinity\"" : "\"-Infinity\"";
    } else {
      char* digits = PyOS_double_to_string(number, 'r', 0, 0, nullptr);
      if (digits == nullptr) {
        throw py::error_already_set();
      }
      text_ += digits;
      PyMem_Free(digits);
    }
  }

  void write_decimal(py::handle decimal) {
    bool finite = true;
    const std::string digits = decimal_text_of(decimal, finite);
    text_ += finite ? digits : '"' + digits + '"';
  }

  void write_string(std::string_view string) {
    text_ += '"';
    for (const char character : string) {
      const auto byte = static_cast<unsigned char>(character);
      if (character == '\0') {
        throw py::value_error(
            "contains U+0000, which a PostgreSQL text cannot hold; send binary data as bytea");
      }
      if (character == '"' || character == '\\') {
        text_ += '\\';
        text_ += character;
      } else if (byte < 0x20) {
        text_ += "\\u00";
        text_ += kHex[byte >> 4U];
        text_ += kHex[byte & 0xFU];
      } else {
        text_ += character;
      }
    }
    text_ += '"';
  }

  void write_bytes(std::string_view bytes) {
    text_ += R"("\\x)";
    for (const char character : bytes) {
      const auto byte = static_cast<unsigned char>(character);
      text_ += kHex[byte >> 4U];
      text_ += kHex[byte & 0xFU];
    }
    text_ += '"';
  }

  void write_array(py::handle array) {
    const Depth depth;
    // A copy, for a value's own code could change the list.
    const auto items = py::reinterpret_steal<py::tuple>(PySequence_Tuple(array.ptr()));
    if (!items) {
      throw py::error_already_set();
    }
    char separator = '[';
    for (const py::handle item : items) {
      text_ += separator;
      separator = ',';
      write(item);
    }
    text_ += items.empty() ? "[]" : "]";
  }

  void write_object(py::handle object) {
    const Depth depth;
    const auto members = py::reinterpret_steal<py::list>(PyDict_Items(object.ptr()));
    if (!members) {
      throw py::error_already_set();
    }
    char separator = '{';
    for (const py::handle member : members) {
      const py::handle key = PyTuple_GET_ITEM(member.ptr(), 0);
      if (PyUnicode_Check(key.ptr()) == 0) {
        throw py::type_error("the keys of a dict must be str, not '" + type_name_of(key) + "'");
      }
      text_ += separator;
      separator = ',';
      write_string(utf8_of(key));
      text_ += ':';
      write(PyTuple_GET_ITEM(member.ptr(), 1));
    }
    text_ += members.empty() ? "{}" : "}";
  }

  std::string text_;
};

}  // namespace

auto json_text_of(py::handle value) -> std::string {
  JsonText text;
  text.write(value);
  return std::move(text).take();
}

}  // namespace query::python
