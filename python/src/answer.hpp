#pragma once

#include <functional>
#include <memory>

#include "gil.hpp"
#include "python.hpp"

namespace query::python {

/// Starts a query; called without the GIL.
using Start = std::function<Rows()>;

/// A whole answer as (columns, rows, command, affected, truncated): columns are tuples of name,
/// type or None, and oid; rows are tuples of values. Needs the GIL.
[[nodiscard]] auto read_answer(Interruption& interruption, const Start& start) -> py::tuple;

/// The answers of a batch, a tuple as above for each statement.
[[nodiscard]] auto read_batch(Interruption& interruption, const Start& start) -> py::list;

/// A whole answer as JSON. The bytes are made once, at the end.
[[nodiscard]] auto read_json(Interruption& interruption, JsonOptions options, const Start& start)
    -> py::bytes;

/// `buffer` as bytes, copied without the GIL where it is large.
[[nodiscard]] auto bytes_from(const Buffer& buffer) -> py::bytes;

}  // namespace query::python
