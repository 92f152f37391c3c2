#pragma once

#include <libpq-fe.h>

#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <query/query.hpp>

namespace test {

/// The database that the tests may do anything to: a superuser's connection string.
inline auto dsn() -> std::string {
  const char* value = std::getenv("LIBQUERY_TEST_DSN");
  if (value == nullptr || *value == '\0') {
    throw std::runtime_error(
        "LIBQUERY_TEST_DSN is not set: run the tests by ctest, or name a throw-away database");
  }
  return value;
}

/// The same with more libpq settings, which win.
inline auto dsn_with(const std::string& settings) -> std::string {
  struct Free {
    void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
  };
  const auto parse = [](const std::string& text) {
    return std::unique_ptr<PQconninfoOption, Free>(PQconninfoParse(text.c_str(), nullptr));
  };
  const auto base = parse(dsn());
  const auto more = parse(settings);
  if (!base || !more) {
    throw std::runtime_error("a connection string cannot be read");
  }
  std::string merged;
  for (const PQconninfoOption *a = base.get(), *b = more.get(); a->keyword != nullptr; ++a, ++b) {
    const char* value = b->val != nullptr ? b->val : a->val;
    if (value == nullptr || *value == '\0') {
      continue;
    }
    merged += std::string(a->keyword) + "='";
    for (const char c : std::string_view(value)) {
      if (c == '\'' || c == '\\') {
        merged += '\\';
      }
      merged += c;
    }
    merged += "' ";
  }
  return merged;
}

/// A plain libpq connection without any of this project's code: the witness of what the library
/// did, and the oracle for what it should answer.
class Witness {
 public:
  using Row = std::vector<std::optional<std::string>>;

  explicit Witness(const std::string& conninfo = dsn())
      : connection_(PQconnectdb(conninfo.c_str())) {
    if (PQstatus(connection_.get()) != CONNECTION_OK) {
      throw std::runtime_error(PQerrorMessage(connection_.get()));
    }
    PQsetNoticeReceiver(
        connection_.get(), [](void*, const PGresult*) {}, nullptr);
    (void)rows("set client_encoding to 'UTF8'");
  }

  auto rows(const std::string& sql) -> std::vector<Row> {
    const Result result(PQexec(connection_.get(), sql.c_str()));
    const auto status = PQresultStatus(result.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
      throw std::runtime_error(std::string(PQresultErrorMessage(result.get())) +
                               "in: " + sql.substr(0, 1000));
    }
    std::vector<Row> rows(static_cast<std::size_t>(PQntuples(result.get())));
    for (std::size_t row = 0; row < rows.size(); ++row) {
      for (int column = 0; column < PQnfields(result.get()); ++column) {
        const int at = static_cast<int>(row);
        if (PQgetisnull(result.get(), at, column) != 0) {
          rows[row].emplace_back();
        } else {
          rows[row].emplace_back(std::in_place, PQgetvalue(result.get(), at, column),
                                 static_cast<std::size_t>(PQgetlength(result.get(), at, column)));
        }
      }
    }
    return rows;
  }

  /// The only value of the first row; "" for NULL and where there is no row.
  auto value(const std::string& sql) -> std::string {
    const auto all = rows(sql);
    return all.empty() || all[0].empty() ? "" : all[0][0].value_or("");
  }

  void run(const std::string& sql) { (void)rows(sql); }

  /// The records of COPY … TO STDOUT, each without its line end.
  auto copy(const std::string& sql) -> std::vector<std::string> {
    {
      const Result begun(PQexec(connection_.get(), sql.c_str()));
      if (PQresultStatus(begun.get()) != PGRES_COPY_OUT) {
        throw std::runtime_error(PQresultErrorMessage(begun.get()));
      }
    }
    std::vector<std::string> records;
    char* data = nullptr;
    int length = 0;
    while ((length = PQgetCopyData(connection_.get(), &data, 0)) > 0) {
      records.emplace_back(data, static_cast<std::size_t>(length - 1));
      PQfreemem(data);
    }
    while (const Result rest{PQgetResult(connection_.get())}) {
    }
    return records;
  }

  [[nodiscard]] auto version() const -> int { return PQserverVersion(connection_.get()); }

 private:
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  using Result = std::unique_ptr<PGresult, Clear>;

  std::unique_ptr<PGconn, Finish> connection_;
};

/// Options of a pool on the test database, with waits that are long but end.
inline auto pool_options(std::size_t size = 1) -> query::PoolOptions {
  query::PoolOptions options;
  options.conninfo = dsn();
  options.max_size = size;
  options.max_wait = std::chrono::seconds(20);
  return options;
}

/// No test waits longer than this for one answer.
inline auto soon() -> query::Deadline { return query::after(std::chrono::seconds(30)); }

inline auto within(query::QueryOptions options = {}) -> query::QueryOptions {
  if (options.deadline == query::never) {
    options.deadline = soon();
  }
  return options;
}

/// A statement's whole answer as JsonStream writes it.
inline auto json(query::Rows rows, const query::JsonOptions& options = {}) -> std::string {
  query::JsonStream stream(std::move(rows), options);
  query::Buffer buffer;
  while (stream.read(buffer)) {
  }
  return std::string(buffer.view());
}

inline auto json(query::Pool& pool, const query::Statement& statement,
                 const query::JsonOptions& options = {}) -> std::string {
  return json(pool.query(statement, within()), options);
}

/// The first value of a statement's answer; "" for NULL and where there is no row.
template <class Source>
auto value(Source& source, const query::Statement& statement) -> std::string {
  const query::Result result = source.execute(statement, within());
  return result.rows() == 0 ? "" : result.template get<std::string>(0, 0).value_or("");
}

/// The SQLSTATE that `work` throws with; "" where it does not throw a query::Error.
inline auto sqlstate_of(const std::function<void()>& work) -> std::string {
  try {
    work();
  } catch (const query::Error& error) {
    return error.sqlstate();
  }
  return "";
}

/// Waits until `condition` holds; false when it does not within `limit`.
inline auto eventually(const std::function<bool()>& condition,
                       std::chrono::milliseconds limit = std::chrono::seconds(20)) -> bool {
  const auto deadline = query::after(limit);
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace test
