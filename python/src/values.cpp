#include "values.hpp"

#include <array>
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

auto decode_bool(std::string_view text) -> PyObject* {
  return PyBool_FromLong(text == "t" ? 1 : 0);
}

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

struct BuiltIn {
  Oid type;
  Oid array;
  Decode decode;
};

// What is not str. The numbers of built-in types never change: PostgreSQL's pg_type.dat.
constexpr std::array kBuiltIn{
    BuiltIn{23, 1007, decode_int},            // int4
    BuiltIn{20, 1016, decode_int},            // int8
    BuiltIn{16, 1000, decode_bool},           // bool
    BuiltIn{701, 1022, decode_float},         // float8
    BuiltIn{1700, 1231, decode_decimal},      // numeric
    BuiltIn{1184, 1185, decode_timestamptz},  // timestamptz
    BuiltIn{1114, 1115, decode_timestamp},    // timestamp
    BuiltIn{1082, 1182, decode_date},         // date
    BuiltIn{2950, 2951, decode_uuid},         // uuid
    BuiltIn{3802, 3807, decode_json},         // jsonb
    BuiltIn{114, 199, decode_json},           // json
    BuiltIn{17, 1001, decode_bytes},          // bytea
    BuiltIn{21, 1005, decode_int},            // int2
    BuiltIn{26, 1028, decode_int},            // oid
    BuiltIn{700, 1021, decode_float},         // float4
    BuiltIn{1083, 1183, decode_time},         // time
    BuiltIn{1266, 1270, decode_timetz},       // timetz
    BuiltIn{1186, 1187, decode_interval},     // interval
    BuiltIn{22, 1006, decode_vector},         // int2vector
    BuiltIn{30, 1013, decode_vector},         // oidvector
};

}  // namespace

auto decode_str(std::string_view text) -> PyObject* {
  return PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace");
}

auto Decoder::operator()(std::string_view text) const -> PyObject* {
  return delimiter == '\0' ? decode(text) : decode_array(text, decode, delimiter);
}

auto decoder_of(Oid type) -> Decoder {
  for (const BuiltIn& known : kBuiltIn) {
    if (type == known.type) {
      return {known.decode};
    }
    if (type == known.array) {
      return {known.decode, ','};
    }
  }
  constexpr Oid kBoxArray = 1020;
  if (type == kBoxArray) {
    return {decode_str, ';'};  // its elements hold commas
  }
  const bool array = Column::type_name(type).ends_with("[]");
  return {decode_str, array ? ',' : '\0'};
}

}  // namespace query::python
