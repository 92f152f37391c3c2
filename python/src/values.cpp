#include "values.hpp"

#include <charconv>
#include <string>
#include <system_error>

#include "datetimes.hpp"
#include "types.hpp"

namespace query::python {

namespace {

/// Python's value, or where Python refused it the text itself. Other exceptions pass: it may be a
/// signal's that arrived just then.
auto or_text(PyObject* value, std::string_view text) -> PyObject* {
  if (value != nullptr || (PyErr_ExceptionMatches(PyExc_ValueError) == 0 &&
                           PyErr_ExceptionMatches(PyExc_ArithmeticError) == 0)) {
    return value;
  }
  PyErr_Clear();
  return decode_str(text);
}

/// What a Python function makes of the text.
auto call(const py::object& function, std::string_view text) -> PyObject* {
  const auto argument = py::reinterpret_steal<py::object>(decode_str(text));
  return argument ? or_text(PyObject_CallOneArg(function.ptr(), argument.ptr()), text) : nullptr;
}

auto decode_bool(std::string_view text) -> PyObject* { return PyBool_FromLong(text == "t"); }

auto decode_int(std::string_view text) -> PyObject* {
  long long number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? PyLong_FromLongLong(number)
                                                                  : decode_str(text);
}

auto decode_float(std::string_view text) -> PyObject* {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) {
    return PyFloat_FromDouble(number);
  }
  return decode_str(text);
}

auto decode_decimal(std::string_view text) -> PyObject* { return call(types().decimal, text); }
auto decode_uuid(std::string_view text) -> PyObject* { return call(types().uuid, text); }
auto decode_json(std::string_view text) -> PyObject* { return call(types().decode_json, text); }

auto nibble(char digit) -> unsigned {
  return static_cast<unsigned>(digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
}

/// bytea as `bytea_output = escape` prints it, should the statement have set that.
auto decode_escaped_bytes(std::string_view text) -> PyObject* {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      bytes += text[i];
    } else if (i + 3 < text.size() && text[i + 1] != '\\') {
      bytes += static_cast<char>(nibble(text[i + 1]) * 64 + nibble(text[i + 2]) * 8 +
                                 nibble(text[i + 3]));
      i += 3;
    } else {
      bytes += '\\';
      ++i;
    }
  }
  return PyBytes_FromStringAndSize(bytes.data(), static_cast<Py_ssize_t>(bytes.size()));
}

auto decode_bytes(std::string_view text) -> PyObject* {
  if (!text.starts_with("\\x")) {
    return decode_escaped_bytes(text);
  }
  text.remove_prefix(2);
  PyObject* bytes = PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(text.size() / 2));
  if (bytes != nullptr) {
    char* out = PyBytes_AS_STRING(bytes);
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
      *out++ = static_cast<char>(nibble(text[i]) * 16 + nibble(text[i + 1]));
    }
  }
  return bytes;
}

}  // namespace

auto decode_str(std::string_view text) -> PyObject* {
  return PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace");
}

auto Decoder::operator()(std::string_view text) const -> PyObject* {
  return delimiter == '\0' ? decode(text) : decode_array(text, decode, delimiter);
}

auto decoder_of(Oid type) -> Decoder {
  // The numbers of built-in types never change: PostgreSQL's src/include/catalog/pg_type.dat.
  switch (type) {
    case 16: return {decode_bool};
    case 17: return {decode_bytes};
    case 20: case 21: case 23: case 26: return {decode_int};
    case 22: case 30: return {decode_vector};
    case 114: case 3802: return {decode_json};
    case 700: case 701: return {decode_float};
    case 1082: return {decode_date};
    case 1083: return {decode_time};
    case 1114: return {decode_timestamp};
    case 1184: return {decode_timestamptz};
    case 1186: return {decode_interval};
    case 1266: return {decode_timetz};
    case 1700: return {decode_decimal};
    case 2950: return {decode_uuid};
    case 1000: return {decode_bool, ','};
    case 1001: return {decode_bytes, ','};
    case 1005: case 1007: case 1016: case 1028: return {decode_int, ','};
    case 1006: case 1013: return {decode_vector, ','};
    case 199: case 3807: return {decode_json, ','};
    case 1021: case 1022: return {decode_float, ','};
    case 1182: return {decode_date, ','};
    case 1183: return {decode_time, ','};
    case 1115: return {decode_timestamp, ','};
    case 1185: return {decode_timestamptz, ','};
    case 1187: return {decode_interval, ','};
    case 1270: return {decode_timetz, ','};
    case 1231: return {decode_decimal, ','};
    case 2951: return {decode_uuid, ','};
    case 1020: return {decode_str, ';'};  // box[], whose elements hold commas
    default: break;
  }
  return Column::type_name(type).ends_with("[]") ? Decoder{decode_str, ','} : Decoder{decode_str};
}

}  // namespace query::python
