#pragma once

#include <vector>

#include "python.hpp"

namespace query::python {

// What the Python caller wrote, checked and turned into the engine's options. All need the GIL and
// throw TypeError or ValueError with the name of the argument.

/// Seconds from now; None is never.
[[nodiscard]] auto deadline_of(py::handle timeout) -> Deadline;

/// A number of seconds that may not be negative, in milliseconds.
[[nodiscard]] auto milliseconds_of(py::handle seconds, const char* name)
    -> std::chrono::milliseconds;

/// A whole number that may not be negative.
[[nodiscard]] auto count_of(py::handle value, const char* name) -> std::size_t;

[[nodiscard]] auto query_options(py::handle timeout, bool read_only, py::handle max_rows)
    -> QueryOptions;

[[nodiscard]] auto transaction_options(py::handle isolation, bool read_only, bool deferrable)
    -> TransactionOptions;

[[nodiscard]] auto json_options(py::handle rows, py::handle numbers, py::handle framing)
    -> JsonOptions;

[[nodiscard]] auto statement_of(py::handle sql, py::handle params) -> Statement;

/// Each is a str or a tuple of a str and its parameters.
[[nodiscard]] auto statements_of(py::handle statements) -> std::vector<Statement>;

}  // namespace query::python
