#include "transaction.hpp"

#include <algorithm>
#include <utility>

#include "answer.hpp"
#include "options.hpp"
#include "stream.hpp"

namespace query::python {

PyTransaction::PyTransaction(std::shared_ptr<Interruption> interruption, Deadline deadline,
                             const std::function<Transaction()>& begin)
    : interruption_(std::move(interruption)), deadline_(deadline) {
  interruption_->run([&] { transaction_.emplace(std::make_unique<Transaction>(begin())); });
}

auto PyTransaction::get() const -> Transaction& {
  if (!transaction_) {
    throw std::runtime_error("this transaction has ended");
  }
  return transaction_.get();
}

auto PyTransaction::options(py::handle timeout, py::handle max_rows) const -> QueryOptions {
  QueryOptions options = query_options(timeout, false, max_rows);
  options.deadline = std::min(options.deadline, deadline_);
  return options;
}

auto PyTransaction::query(py::handle sql, py::handle params, py::handle timeout,
                          py::handle max_rows) -> py::tuple {
  const InUse guard(in_use_, "transaction");
  const Statement statement = statement_of(sql, params);
  QueryOptions options = this->options(timeout, max_rows);
  const auto interruption = Interruption::make();
  interruption->attach(options);
  return read_answer(*interruption, [&] { return get().query(statement, options); });
}

auto PyTransaction::query_json(py::handle sql, py::handle params, py::handle timeout,
                               py::handle max_rows, py::handle rows, py::handle numbers)
    -> py::bytes {
  const InUse guard(in_use_, "transaction");
  const Statement statement = statement_of(sql, params);
  const JsonOptions json = json_options(rows, numbers, py::str("document"));
  QueryOptions options = this->options(timeout, max_rows);
  const auto interruption = Interruption::make();
  interruption->attach(options);
  return read_json(*interruption, json, [&] { return get().query(statement, options); });
}

auto PyTransaction::stream_json(py::handle sql, py::handle params, py::handle timeout,
                                py::handle max_rows, py::handle rows, py::handle numbers,
                                py::handle framing, py::handle chunk_size)
    -> std::unique_ptr<Stream> {
  const InUse guard(in_use_, "transaction");
  const Statement statement = statement_of(sql, params);
  const JsonOptions json = json_options(rows, numbers, framing);
  QueryOptions options = this->options(timeout, max_rows);
  const auto interruption = Interruption::make();
  interruption->attach(options);
  return std::make_unique<Stream>(interruption, json, count_of(chunk_size, "chunk_size"),
                                  [&] { return get().query(statement, options); });
}

void PyTransaction::commit() {
  const InUse guard(in_use_, "transaction");
  try {
    interruption_->run([&] { get().commit(deadline_); });
  } catch (...) {
    transaction_.reset();
    throw;
  }
  transaction_.reset();
}

void PyTransaction::rollback() {
  const InUse guard(in_use_, "transaction");
  // Also after the transaction's own deadline there is something to roll back.
  constexpr std::chrono::seconds kGrace{5};
  try {
    interruption_->run([&] { get().rollback(std::max(deadline_, after(kGrace))); });
  } catch (...) {
    transaction_.reset();
    throw;
  }
  transaction_.reset();
}

void register_transaction(py::module_& module) {
  py::class_<PyTransaction>(module, "Transaction", plain_class(),
                            "A transaction block on one connection.")
      .def("query", &PyTransaction::query)
      .def("query_json", &PyTransaction::query_json)
      .def("stream_json", &PyTransaction::stream_json)
      .def("commit", &PyTransaction::commit)
      .def("rollback", &PyTransaction::rollback)
      .def_property_readonly("ended", &PyTransaction::ended);
}

}  // namespace query::python
