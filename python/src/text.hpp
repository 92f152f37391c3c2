#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "python.hpp"

namespace query::python {

// Python values to the text that PostgreSQL reads. All need the GIL.

/// The name of a value's type, for messages.
[[nodiscard]] auto type_name_of(py::handle value) -> std::string;

/// A str's characters; the view lives as long as the str. Throws ValueError for a lone surrogate.
[[nodiscard]] auto utf8_of(py::handle text) -> std::string_view;

/// An int's digits, however many; a subclass (an IntEnum) cannot change them.
[[nodiscard]] auto digits_of(py::handle number) -> std::string;

[[nodiscard]] auto is_decimal(py::handle value) -> bool;

/// A Decimal's digits; `finite` is false for NaN and the infinities.
[[nodiscard]] auto decimal_text_of(py::handle decimal, bool& finite) -> std::string;

/// The bytes of bytes, bytearray and memoryview; nothing for other types.
[[nodiscard]] auto bytes_of(py::handle value) -> std::optional<std::string>;

/// The text of a date, time, datetime, timedelta or UUID; nothing for other types.
[[nodiscard]] auto text_of(py::handle value) -> std::optional<std::string>;

}  // namespace query::python
