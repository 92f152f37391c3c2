#pragma once

#include <functional>
#include <memory>

#include "gil.hpp"
#include "python.hpp"

namespace query::python {

class Stream;

/// A transaction as Python holds it: ended by commit or rollback, rolled back when it is forgotten.
class PyTransaction {
 public:
  PyTransaction(std::shared_ptr<Interruption> interruption, Deadline deadline,
                const std::function<Transaction()>& begin);

  auto query(py::handle sql, py::handle params, py::handle timeout, py::handle max_rows)
      -> py::tuple;
  auto query_json(py::handle sql, py::handle params, py::handle timeout, py::handle max_rows,
                  py::handle rows, py::handle numbers) -> py::bytes;
  auto stream_json(py::handle sql, py::handle params, py::handle timeout, py::handle max_rows,
                   py::handle rows, py::handle numbers, py::handle framing, py::handle chunk_size)
      -> std::unique_ptr<Stream>;
  void commit();
  void rollback();
  [[nodiscard]] auto ended() const noexcept -> bool { return !transaction_; }

 private:
  /// Throws std::runtime_error after the end.
  [[nodiscard]] auto get() const -> Transaction&;
  [[nodiscard]] auto options(py::handle timeout, py::handle max_rows) const -> QueryOptions;

  std::shared_ptr<Interruption> interruption_;
  Deadline deadline_;  ///< of the whole transaction
  Owned<Transaction> transaction_{"transaction"};
  bool in_use_ = false;
};

}  // namespace query::python
