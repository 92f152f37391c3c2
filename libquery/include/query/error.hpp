#pragma once

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>

#include <query/export.hpp>

namespace query {

/// What PostgreSQL reports with an error; a field that it did not send is empty.
/// PostgreSQL manual, "Error and Notice Message Fields" (protocol-error-fields).
struct Diagnostics {
  std::string severity{};  ///< ERROR, FATAL or PANIC, never translated
  std::string sqlstate{};  ///< five characters, e.g. 42P01
  std::string message{};
  std::string detail{};
  std::string hint{};
  std::optional<int> position{};           ///< 1-based character (not byte) in the statement
  std::optional<int> internal_position{};  ///< the same in internal_query
  std::string internal_query{};            ///< the statement inside a function that failed
  std::string context{};                   ///< call stack of PL functions ("where")
  std::string schema{};
  std::string table{};
  std::string column{};
  std::string datatype{};
  std::string constraint{};
  std::string source_file{};
  std::string source_line{};
  std::string source_function{};
};

/// The base of everything that this library throws because of the outside world. Misuse of the
/// API (a NUL in a text, a result still open) is std::invalid_argument or std::logic_error.
class QUERY_EXPORT Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, std::string sqlstate = {})
      : std::runtime_error(message), sqlstate_(std::move(sqlstate)) {}

  /// The SQLSTATE, or empty where PostgreSQL did not send one.
  [[nodiscard]] auto sqlstate() const noexcept -> const std::string& { return sqlstate_; }

  /// The same request may succeed when it is sent again as a whole, and sending it again cannot
  /// do the work twice: nothing of it took effect.
  [[nodiscard]] virtual auto retryable() const noexcept -> bool { return false; }

  /// The connection is gone; the pool replaces it by itself.
  [[nodiscard]] virtual auto connection_lost() const noexcept -> bool { return false; }

  /// Nobody can know whether the statement took effect: the connection broke, or the answer did
  /// not come, after the statement had been sent.
  [[nodiscard]] virtual auto outcome_unknown() const noexcept -> bool { return false; }

 private:
  std::string sqlstate_;
};

/// Whether a statement had been sent when the connection broke.
enum class Outcome { kNothingSent, kUnknown };

/// Could not connect, or the connection was lost (SQLSTATE class 08, 57P01…57P05, socket errors).
class QUERY_EXPORT ConnectionError : public Error {
 public:
  ConnectionError(const std::string& message, Outcome outcome, std::string sqlstate = {})
      : Error(message, std::move(sqlstate)), outcome_(outcome) {}

  [[nodiscard]] auto retryable() const noexcept -> bool override {
    return outcome_ == Outcome::kNothingSent;
  }
  [[nodiscard]] auto connection_lost() const noexcept -> bool override { return true; }
  [[nodiscard]] auto outcome_unknown() const noexcept -> bool override {
    return outcome_ == Outcome::kUnknown;
  }

 private:
  Outcome outcome_;
};

/// No connection became free within the wait, or too many are waiting already.
class QUERY_EXPORT Busy : public Error {
 public:
  using Error::Error;
  [[nodiscard]] auto retryable() const noexcept -> bool override { return true; }
};

/// The deadline passed. The statement was cancelled; `outcome_unknown()` says whether PostgreSQL
/// confirmed that.
class QUERY_EXPORT Timeout : public Error {
 public:
  explicit Timeout(const std::string& message, Outcome outcome = Outcome::kNothingSent)
      : Error(message), outcome_(outcome) {}
  [[nodiscard]] auto outcome_unknown() const noexcept -> bool override {
    return outcome_ == Outcome::kUnknown;
  }

 private:
  Outcome outcome_;
};

/// `QueryOptions::interrupted` said stop. The statement was cancelled.
class QUERY_EXPORT Interrupted : public Error {
 public:
  using Error::Error;
};

/// PostgreSQL refused the statement.
class QUERY_EXPORT SqlError : public Error {
 public:
  explicit SqlError(Diagnostics diagnostics, std::optional<std::size_t> statement = {})
      : Error(diagnostics.message, diagnostics.sqlstate),
        diagnostics_(std::move(diagnostics)),
        statement_(statement) {}

  [[nodiscard]] auto diagnostics() const noexcept -> const Diagnostics& { return diagnostics_; }

  /// In a batch: the 0-based index of the statement that failed; empty where the COMMIT failed.
  [[nodiscard]] auto statement() const noexcept -> std::optional<std::size_t> { return statement_; }

  /// Serialization failures and deadlocks (40001, 40P01), and the rare statement that DDL outdated
  /// while it ran (0A000, 26000): PostgreSQL rolled everything back.
  [[nodiscard]] auto retryable() const noexcept -> bool override;

 private:
  Diagnostics diagnostics_;
  std::optional<std::size_t> statement_;
};

}  // namespace query
