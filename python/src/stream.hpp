#pragma once

#include <memory>

#include "answer.hpp"
#include "gil.hpp"
#include "python.hpp"

namespace query::python {

/// What stream_json returns: an iterator of bytes. Closed or forgotten early, it cancels the query.
class Stream {
 public:
  /// Sends the query, so that an error in it is raised here and not at the first chunk.
  Stream(std::shared_ptr<Interruption> interruption, JsonOptions options, std::size_t chunk_size,
         const Start& start);

  /// The next chunk. Throws StopIteration at the end.
  [[nodiscard]] auto next() -> py::bytes;
  void close();

  [[nodiscard]] auto row_count() const noexcept -> std::uint64_t { return row_count_; }
  [[nodiscard]] auto truncated() const noexcept -> bool { return truncated_; }

 private:
  std::shared_ptr<Interruption> interruption_;
  Owned<JsonStream> stream_{"stream"};
  Buffer buffer_;
  std::size_t chunk_size_;
  std::uint64_t row_count_ = 0;
  bool truncated_ = false;
  bool in_use_ = false;
};

}  // namespace query::python
