#include <cstring>
#include <exception>
#include <optional>
#include <string>

#include "python.hpp"

namespace query::python {

namespace {

/// The exception classes of libquery/_errors.py.
struct ErrorTypes {
  py::object error;
  py::object connection_error;
  py::object busy;
  py::object timeout;
  py::object sql_error;
};

const ErrorTypes* error_types = nullptr;

auto make(const py::object& type, const Error& error) -> py::object {
  // Not every message is the server's UTF-8: libpq's own follow the locale.
  py::object instance = type(py::reinterpret_steal<py::str>(PyUnicode_DecodeUTF8(
      error.what(), static_cast<Py_ssize_t>(std::strlen(error.what())), "replace")));
  if (!error.sqlstate().empty()) {
    instance.attr("sqlstate") = error.sqlstate();
  }
  instance.attr("retryable") = error.retryable();
  instance.attr("connection_lost") = error.connection_lost();
  instance.attr("outcome_unknown") = error.outcome_unknown();
  return instance;
}

void set(const py::object& instance, const char* name, const std::string& text) {
  if (!text.empty()) {
    instance.attr(name) = text;
  }
}

template <class Number>
void set(const py::object& instance, const char* name, const std::optional<Number>& number) {
  if (number) {
    instance.attr(name) = *number;
  }
}

auto make_sql_error(const SqlError& error) -> py::object {
  py::object instance = make(error_types->sql_error, error);
  const Diagnostics& diagnostics = error.diagnostics();
  set(instance, "severity", diagnostics.severity);
  set(instance, "detail", diagnostics.detail);
  set(instance, "hint", diagnostics.hint);
  set(instance, "position", diagnostics.position);
  set(instance, "internal_position", diagnostics.internal_position);
  set(instance, "internal_query", diagnostics.internal_query);
  set(instance, "context", diagnostics.context);
  set(instance, "schema", diagnostics.schema);
  set(instance, "table", diagnostics.table);
  set(instance, "column", diagnostics.column);
  set(instance, "datatype", diagnostics.datatype);
  set(instance, "constraint", diagnostics.constraint);
  set(instance, "source_file", diagnostics.source_file);
  set(instance, "source_line", diagnostics.source_line);
  set(instance, "source_function", diagnostics.source_function);
  set(instance, "statement", error.statement());
  // Notes are what a traceback prints below the message.
  for (const auto& [name, text] :
       {std::pair{"DETAIL: ", &diagnostics.detail}, std::pair{"HINT: ", &diagnostics.hint},
        std::pair{"CONTEXT: ", &diagnostics.context}}) {
    if (!text->empty()) {
      instance.attr("add_note")(name + *text);
    }
  }
  return instance;
}

void raise(const py::object& instance) {
  PyErr_SetObject(py::type::handle_of(instance).ptr(), instance.ptr());
}

void translate(std::exception_ptr pointer) {
  try {
    std::rethrow_exception(std::move(pointer));
  } catch (const SqlError& error) {
    raise(make_sql_error(error));
  } catch (const Timeout& error) {
    raise(make(error_types->timeout, error));
  } catch (const Busy& error) {
    raise(make(error_types->busy, error));
  } catch (const ConnectionError& error) {
    raise(make(error_types->connection_error, error));
  } catch (const Error& error) {
    raise(make(error_types->error, error));
  }
}

}  // namespace

void register_errors() {
  const py::module_ errors = py::module_::import("libquery._errors");
  // Never freed, see load_types().
  error_types = new ErrorTypes{
      .error = errors.attr("Error"),
      .connection_error = errors.attr("ConnectionError"),
      .busy = errors.attr("Busy"),
      .timeout = errors.attr("Timeout"),
      .sql_error = errors.attr("SqlError"),
  };
  py::register_exception_translator(&translate);
}

}  // namespace query::python
