#include <memory>
#include <utility>
#include <vector>

#include "answer.hpp"
#include "gil.hpp"
#include "options.hpp"
#include "python.hpp"
#include "stream.hpp"
#include "text.hpp"
#include "transaction.hpp"

namespace query::python {

namespace {

/// A pool as Python holds it. Thread-safe, as the pool itself.
class PyPool {
 public:
  explicit PyPool(const PoolOptions& options) { pool_.emplace(std::make_unique<Pool>(options)); }

  auto query(py::handle sql, py::handle params, py::handle timeout, bool read_only,
             py::handle max_rows) -> py::tuple {
    const Statement statement = statement_of(sql, params);
    Call call(*this, query_options(timeout, read_only, max_rows));
    return read_answer(*call.interruption,
                       [&] { return call.pool.query(statement, call.options); });
  }

  auto query_json(py::handle sql, py::handle params, py::handle timeout, bool read_only,
                  py::handle max_rows, py::handle rows, py::handle numbers) -> py::bytes {
    const Statement statement = statement_of(sql, params);
    const JsonOptions json = json_options(rows, numbers, py::str("document"));
    Call call(*this, query_options(timeout, read_only, max_rows));
    return read_json(*call.interruption, json,
                     [&] { return call.pool.query(statement, call.options); });
  }

  auto stream_json(py::handle sql, py::handle params, py::handle timeout, bool read_only,
                   py::handle max_rows, py::handle rows, py::handle numbers, py::handle framing,
                   py::handle chunk_size) -> std::unique_ptr<Stream> {
    const Statement statement = statement_of(sql, params);
    const JsonOptions json = json_options(rows, numbers, framing);
    Call call(*this, query_options(timeout, read_only, max_rows));
    return std::make_unique<Stream>(call.interruption, json, count_of(chunk_size, "chunk_size"),
                                    [&] { return call.pool.query(statement, call.options); });
  }

  auto batch(py::handle statements, py::handle isolation, bool read_only, bool deferrable,
             py::handle timeout, py::handle max_rows) -> py::list {
    const std::vector<Statement> list = statements_of(statements);
    const auto transaction = transaction_options(isolation, read_only, deferrable);
    Call call(*this, query_options(timeout, false, max_rows));
    return read_batch(*call.interruption,
                      [&] { return call.pool.query_batch(list, transaction, call.options); });
  }

  auto batch_json(py::handle statements, py::handle isolation, bool read_only, bool deferrable,
                  py::handle timeout, py::handle max_rows, py::handle rows, py::handle numbers)
      -> py::bytes {
    const std::vector<Statement> list = statements_of(statements);
    const auto transaction = transaction_options(isolation, read_only, deferrable);
    const JsonOptions json = json_options(rows, numbers, py::str("document"));
    Call call(*this, query_options(timeout, false, max_rows));
    return read_json(*call.interruption, json,
                     [&] { return call.pool.query_batch(list, transaction, call.options); });
  }

  auto begin(py::handle isolation, bool read_only, bool deferrable, py::handle timeout)
      -> std::unique_ptr<PyTransaction> {
    const auto transaction = transaction_options(isolation, read_only, deferrable);
    Call call(*this, query_options(timeout, false, py::none()));
    return std::make_unique<PyTransaction>(call.interruption, call.options.deadline, [&] {
      return call.pool.acquire(call.options).begin(transaction, call.options.deadline);
    });
  }

  auto stats() -> py::dict {
    PoolStats stats;
    without_gil([&, &pool = pool_.get()] { stats = pool.stats(); });
    using py::literals::operator""_a;
    return py::dict("size"_a = stats.size, "idle"_a = stats.idle, "waiting"_a = stats.waiting,
                    "acquired"_a = stats.acquired, "waited"_a = stats.waited,
                    "refused_busy"_a = stats.refused_busy, "connected"_a = stats.connected,
                    "connect_failed"_a = stats.connect_failed, "discarded"_a = stats.discarded,
                    "expired"_a = stats.expired, "resets"_a = stats.resets,
                    "resets_skipped"_a = stats.resets_skipped);
  }

  void close() {
    without_gil([&pool = pool_.get()] { pool.close(); });
  }

  void close_idle() {
    without_gil([&pool = pool_.get()] { pool.close_idle(); });
  }

 private:
  /// What every call needs: the pool, found before the GIL is released, and a way for Ctrl-C.
  struct Call {
    Call(const PyPool& self, QueryOptions asked)
        : pool(self.pool_.get()), options(std::move(asked)), interruption(Interruption::make()) {
      interruption->attach(options);
    }
    Pool& pool;
    QueryOptions options;
    std::shared_ptr<Interruption> interruption;
  };

  Owned<Pool> pool_{"Pool"};
};

auto make_pool(py::handle conninfo, py::handle max_size, py::handle max_waiting,
               py::handle max_wait, py::handle max_idle, py::handle max_lifetime,
               py::handle connect_timeout, py::handle statement_cache, bool reset_session)
    -> std::unique_ptr<PyPool> {
  if (PyUnicode_Check(conninfo.ptr()) == 0) {
    throw py::type_error("conninfo must be a str, not " + type_name_of(conninfo));
  }
  const auto seconds = [](py::handle value, const char* name) {
    return std::chrono::ceil<std::chrono::seconds>(milliseconds_of(value, name));
  };
  return std::make_unique<PyPool>(PoolOptions{
      .conninfo = std::string(utf8_of(conninfo)),
      .max_size = count_of(max_size, "max_size"),
      .max_waiting = count_of(max_waiting, "max_waiting"),
      .max_wait = milliseconds_of(max_wait, "max_wait"),
      .connect_timeout = milliseconds_of(connect_timeout, "connect_timeout"),
      .max_idle = seconds(max_idle, "max_idle"),
      .max_lifetime = seconds(max_lifetime, "max_lifetime"),
      .statement_cache = count_of(statement_cache, "statement_cache"),
      .reset_session = reset_session,
  });
}

}  // namespace

void register_pool(py::module_& module) {
  py::class_<PyPool>(module, "Pool", plain_class(),
                     "A bounded set of connections, for all threads.")
      .def(py::init(&make_pool))
      .def("query", &PyPool::query)
      .def("query_json", &PyPool::query_json)
      .def("stream_json", &PyPool::stream_json)
      .def("batch", &PyPool::batch)
      .def("batch_json", &PyPool::batch_json)
      .def("begin", &PyPool::begin)
      .def("stats", &PyPool::stats)
      .def("close", &PyPool::close)
      .def("close_idle", &PyPool::close_idle);
}

}  // namespace query::python
