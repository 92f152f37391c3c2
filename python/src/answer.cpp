#include "answer.hpp"

#include <cstring>
#include <utility>
#include <vector>

#include "values.hpp"

namespace query::python {

namespace {

/// How many rows are fetched before their values are built, so that a large answer is held only
/// once and the GIL is not passed around for every row.
constexpr std::size_t kRowsAtOnce = 1024;

/// How many bytes of JSON are written between two looks at the signals.
constexpr std::size_t kBytesAtOnce = std::size_t{1} << 20;

/// One statement's answer on its way into Python.
class Answer {
 public:
  /// Takes the next rows. Without the GIL.
  void fetch(Rows& rows) {
    blocks_.clear();
    if (first_) {
      first_ = false;
      columns_ = rows.columns();
    }
    for (std::size_t count = 0; count < kRowsAtOnce;) {
      auto block = rows.next();
      if (!block) {
        complete_ = true;
        command_ = rows.command();
        affected_ = rows.affected();
        truncated_ = rows.truncated();
        return;
      }
      count += block->rows();
      blocks_.push_back(std::move(*block));
    }
  }

  [[nodiscard]] auto complete() const noexcept -> bool { return complete_; }

  /// Makes Python's rows of what was fetched.
  void build() {
    if (decoders_.size() != columns_.size()) {
      for (const Column& column : columns_) {
        decoders_.push_back(decoder_of(column.oid));
      }
    }
    for (const Block& block : blocks_) {
      for (std::size_t row = 0; row < block.rows(); ++row) {
        build_row(block, row);
      }
    }
  }

  [[nodiscard]] auto take() -> py::tuple {
    py::list columns;
    for (const Column& column : columns_) {
      const std::string_view type = column.type();
      columns.append(py::make_tuple(
          py::reinterpret_steal<py::object>(decode_str(column.name)),
          type.empty() ? py::object(py::none()) : py::object(py::str(type.data(), type.size())),
          column.oid));
    }
    return py::make_tuple(std::move(columns), std::move(rows_), command_, affected(), truncated_);
  }

 private:
  void build_row(const Block& block, std::size_t row) {
    const auto tuple =
        py::reinterpret_steal<py::object>(PyTuple_New(static_cast<Py_ssize_t>(columns_.size())));
    if (!tuple) {
      throw py::error_already_set();
    }
    for (std::size_t column = 0; column < columns_.size(); ++column) {
      PyObject* value = block.is_null(row, column) ? Py_NewRef(Py_None)
                                                   : decoders_[column](block.text(row, column));
      if (value == nullptr) {
        throw py::error_already_set();
      }
      PyTuple_SET_ITEM(tuple.ptr(), static_cast<Py_ssize_t>(column), value);
    }
    if (PyList_Append(rows_.ptr(), tuple.ptr()) != 0) {
      throw py::error_already_set();
    }
  }

  [[nodiscard]] auto affected() const -> py::object {
    return affected_ ? py::object(py::int_(*affected_)) : py::object(py::none());
  }

  std::vector<Column> columns_;
  std::vector<Decoder> decoders_;
  std::vector<Block> blocks_;
  py::list rows_;
  std::string command_;
  std::optional<std::uint64_t> affected_;
  bool first_ = true;
  bool complete_ = false;
  bool truncated_ = false;
};

/// Fetches and builds in turn until the answer is whole.
void finish(Answer& answer, Owned<Rows>& rows, Interruption& interruption) {
  answer.build();
  while (!answer.complete()) {
    interruption.run([&] {
      // An answer that keeps coming never waits, so nobody else would ask.
      if (interruption.check()) {
        throw Interrupted("interrupted by a signal");
      }
      answer.fetch(rows.get());
    });
    answer.build();
  }
}

}  // namespace

auto read_answer(Interruption& interruption, const Start& start) -> py::tuple {
  Owned<Rows> rows("query");
  Answer answer;
  interruption.run([&] {
    rows.emplace(std::make_unique<Rows>(start()));
    answer.fetch(rows.get());
    if (answer.complete()) {
      rows.reset();  // the connection goes back before we wait for the GIL
    }
  });
  finish(answer, rows, interruption);
  return answer.take();
}

auto read_batch(Interruption& interruption, const Start& start) -> py::list {
  Owned<Rows> rows("batch");
  py::list answers;
  bool more = false;
  interruption.run([&] {
    rows.emplace(std::make_unique<Rows>(start()));
    more = rows.get().at_statement();
  });
  while (more) {
    Answer answer;
    interruption.run([&] { answer.fetch(rows.get()); });
    finish(answer, rows, interruption);
    answers.append(answer.take());
    interruption.run([&] { more = rows.get().next_statement(); });
  }
  return answers;
}

auto read_json(Interruption& interruption, JsonOptions options, const Start& start) -> py::bytes {
  Buffer buffer;
  interruption.run([&] {
    JsonStream stream(start(), options);
    while (stream.read(buffer, buffer.size() + kBytesAtOnce)) {
      // An answer that keeps coming never waits, so nobody else would ask.
      if (interruption.check()) {
        throw Interrupted("interrupted by a signal");
      }
    }
  });
  return bytes_from(buffer);
}

auto bytes_from(const Buffer& buffer) -> py::bytes {
  auto bytes = py::reinterpret_steal<py::bytes>(
      PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(buffer.size())));
  if (!bytes) {
    throw py::error_already_set();
  }
  char* out = PyBytes_AS_STRING(bytes.ptr());
  if (buffer.size() >= kBytesAtOnce) {
    without_gil([&] { std::memcpy(out, buffer.data(), buffer.size()); });
  } else if (!buffer.empty()) {
    std::memcpy(out, buffer.data(), buffer.size());
  }
  return bytes;
}

}  // namespace query::python
