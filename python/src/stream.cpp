#include "stream.hpp"

#include <utility>

namespace query::python {

Stream::Stream(std::shared_ptr<Interruption> interruption, JsonOptions options,
               std::size_t chunk_size, const Start& start)
    : interruption_(std::move(interruption)), chunk_size_(chunk_size) {
  interruption_->run([&] { stream_.emplace(std::make_unique<JsonStream>(start(), options)); });
}

auto Stream::next() -> py::bytes {
  const InUse guard(in_use_, "stream");
  if (!stream_) {
    throw py::stop_iteration();
  }
  buffer_.clear();
  bool more = true;
  try {
    interruption_->run([&] {
      JsonStream& stream = stream_.get();
      while (more && buffer_.empty()) {
        more = stream.read(buffer_, chunk_size_);
      }
      row_count_ = stream.row_count();
      truncated_ = stream.truncated();
      if (!more) {
        stream_.reset();
      }
    });
  } catch (...) {
    stream_.reset();
    throw;
  }
  if (buffer_.empty()) {
    throw py::stop_iteration();
  }
  return bytes_from(buffer_);
}

void Stream::close() {
  const InUse guard(in_use_, "stream");
  stream_.reset();
  interruption_->raise_pending();
}

void register_stream(py::module_& module) {
  py::class_<Stream>(module, "JsonStream", plain_class(), "An iterator of bytes.")
      .def("__iter__", [](py::object self) { return self; })
      .def("__next__", &Stream::next)
      .def("close", &Stream::close)
      .def_property_readonly("row_count", &Stream::row_count)
      .def_property_readonly("truncated", &Stream::truncated);
}

}  // namespace query::python
