#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <query/error.hpp>
#include <query/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace query::server {

/// What goes back to the client, whatever carries it.
struct Reply {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  /// What follows `body` where the result was too large to be taken whole; else null.
  std::unique_ptr<JsonStream> rest;

  // For the log.
  std::uint64_t rows = 0;
  std::string code;    ///< the error's code, empty where there was none
  std::string detail;  ///< what the client may not see: the text of a connection error
};

/// The status of a PostgreSQL error. 25006 (read-only transaction) is the client's doing where it
/// asked for read-only, else it means a server that was demoted.
[[nodiscard]] auto status_of(std::string_view sqlstate, bool read_only) noexcept -> int;

/// An error of our own: {"error":{"code":…,"severity":"ERROR","message":…,…}}.
[[nodiscard]] auto error_reply(int status, std::string_view code, std::string_view message,
                               std::string_view hint = {}) -> Reply;

/// What a request was, as far as its errors depend on it.
struct Asked {
  bool read_only = false;
  bool batch = false;
};

/// The answer to any exception. Never carries a connection string, a host or a user: the text of
/// connection errors goes to `detail` only.
[[nodiscard]] auto exception_reply(const std::exception_ptr& exception, const Asked& asked)
    -> Reply;

}  // namespace query::server
