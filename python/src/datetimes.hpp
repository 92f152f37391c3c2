#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "python.hpp"

namespace query::python {

// The types of Python's datetime module, both ways. The rules of values.hpp hold: what Python
// cannot hold is the str that PostgreSQL sent. All need the GIL.

auto decode_date(std::string_view text) -> PyObject*;
auto decode_time(std::string_view text) -> PyObject*;
auto decode_timetz(std::string_view text) -> PyObject*;
auto decode_timestamp(std::string_view text) -> PyObject*;
auto decode_timestamptz(std::string_view text) -> PyObject*;
auto decode_interval(std::string_view text) -> PyObject*;

/// What PostgreSQL reads, for a date, time, datetime or timedelta; nothing for other types.
[[nodiscard]] auto datetime_text_of(py::handle value) -> std::optional<std::string>;

}  // namespace query::python
