#include "options.hpp"

#include <array>
#include <cmath>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "params.hpp"
#include "text.hpp"

namespace query::python {

namespace {

auto seconds_of(py::handle value, const char* name) -> double {
  if (PyBool_Check(value.ptr()) != 0 ||
      (PyFloat_Check(value.ptr()) == 0 && PyLong_Check(value.ptr()) == 0)) {
    throw py::type_error(std::string(name) + " must be a number of seconds, not " +
                         type_name_of(value));
  }
  const double seconds = PyFloat_AsDouble(value.ptr());
  if (PyErr_Occurred() != nullptr) {
    throw py::error_already_set();
  }
  if (!(seconds >= 0)) {
    throw py::value_error(std::string(name) + " must not be negative");
  }
  return seconds;
}

/// The choice named by a string.
template <class Choice, std::size_t Count>
auto choose(py::handle value, const char* name,
            const std::array<std::pair<std::string_view, Choice>, Count>& choices) -> Choice {
  std::string allowed;
  const bool is_text = PyUnicode_Check(value.ptr()) != 0;
  for (const auto& [word, choice] : choices) {
    if (is_text && utf8_of(value) == word) {
      return choice;
    }
    allowed += allowed.empty() ? "" : " or ";
    allowed += "'" + std::string(word) + "'";
  }
  const std::string message =
      std::string(name) + " must be " + allowed + ", not " + py::cast<std::string>(py::repr(value));
  if (is_text) {
    throw py::value_error(message);
  }
  throw py::type_error(message);
}

}  // namespace

auto milliseconds_of(py::handle seconds, const char* name) -> std::chrono::milliseconds {
  // More than this many seconds is as good as forever, and less than what overflows.
  constexpr double kForever = 1e9;
  const double limited = std::fmin(seconds_of(seconds, name), kForever);
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(limited * 1000)));
}

auto deadline_of(py::handle timeout) -> Deadline {
  return timeout.is_none() ? never : after(milliseconds_of(timeout, "timeout"));
}

auto count_of(py::handle value, const char* name) -> std::size_t {
  if (PyLong_Check(value.ptr()) == 0 || PyBool_Check(value.ptr()) != 0) {
    throw py::type_error(std::string(name) + " must be an int, not " + type_name_of(value));
  }
  const std::size_t count = PyLong_AsSize_t(value.ptr());
  if (PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    throw py::value_error(std::string(name) + " must not be negative, nor beyond 64 bits");
  }
  return count;
}

auto query_options(py::handle timeout, bool read_only, py::handle max_rows) -> QueryOptions {
  QueryOptions options;
  options.deadline = deadline_of(timeout);
  options.read_only = read_only;
  if (!max_rows.is_none()) {
    options.max_rows = count_of(max_rows, "max_rows");
  }
  return options;
}

auto transaction_options(py::handle isolation, bool read_only, bool deferrable)
    -> TransactionOptions {
  static constexpr std::array kIsolations{
      std::pair{std::string_view("read committed"), Isolation::kReadCommitted},
      std::pair{std::string_view("repeatable read"), Isolation::kRepeatableRead},
      std::pair{std::string_view("serializable"), Isolation::kSerializable}};
  TransactionOptions options;
  if (!isolation.is_none()) {
    options.isolation = choose(isolation, "isolation", kIsolations);
  }
  options.read_only = read_only;
  options.deferrable = deferrable;
  return options;
}

auto json_options(py::handle rows, py::handle numbers, py::handle framing) -> JsonOptions {
  using Rows = JsonOptions::RowShape;
  using Numbers = JsonOptions::Numbers;
  using Framing = JsonOptions::Framing;
  static constexpr std::array kRows{std::pair{std::string_view("objects"), Rows::kObjects},
                                    std::pair{std::string_view("arrays"), Rows::kArrays}};
  static constexpr std::array kNumbers{std::pair{std::string_view("exact"), Numbers::kExact},
                                       std::pair{std::string_view("string"), Numbers::kString}};
  static constexpr std::array kFramings{std::pair{std::string_view("document"), Framing::kDocument},
                                        std::pair{std::string_view("lines"), Framing::kLines},
                                        std::pair{std::string_view("csv"), Framing::kCsv}};
  return {.rows = choose(rows, "rows", kRows),
          .numbers = choose(numbers, "numbers", kNumbers),
          .framing = choose(framing, "framing", kFramings)};
}

auto statement_of(py::handle sql, py::handle params) -> Statement {
  if (PyUnicode_Check(sql.ptr()) == 0) {
    throw py::type_error("sql must be a str, not " + type_name_of(sql));
  }
  return {std::string(utf8_of(sql)), params_of(params)};
}

auto statements_of(py::handle statements) -> std::vector<Statement> {
  if (PyUnicode_Check(statements.ptr()) != 0) {
    throw py::type_error("statements must be a list, not a str");
  }
  std::vector<Statement> result;
  for (const py::handle item : statements) {
    try {
      if (PyTuple_Check(item.ptr()) != 0 && PyTuple_GET_SIZE(item.ptr()) == 2) {
        result.push_back(
            statement_of(PyTuple_GET_ITEM(item.ptr(), 0), PyTuple_GET_ITEM(item.ptr(), 1)));
      } else if (PyUnicode_Check(item.ptr()) != 0) {
        result.push_back(statement_of(item, py::none()));
      } else {
        throw py::type_error("must be a str or a tuple (sql, params), not " + type_name_of(item));
      }
    } catch (const py::type_error& error) {
      throw py::type_error("statement " + std::to_string(result.size()) + ": " + error.what());
    } catch (const py::value_error& error) {
      throw py::value_error("statement " + std::to_string(result.size()) + ": " + error.what());
    } catch (const std::invalid_argument& error) {
      throw py::value_error("statement " + std::to_string(result.size()) + ": " + error.what());
    }
  }
  return result;
}

}  // namespace query::python
