#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace query::server {

/// One served request. Holds no SQL and no parameter: texts of statements have secrets in them.
struct Served {
  std::string_view request_id;
  std::string_view method;
  std::string_view path;
  std::string_view remote;  ///< the client's address
  int status = 0;
  std::chrono::microseconds duration{0};
  std::uint64_t bytes = 0;  ///< sent, headers included
  std::uint64_t rows = 0;
  std::string_view code;    ///< SQLSTATE or our own word; empty where all went well
  std::string_view detail;  ///< what only the operator may see
  bool cut_off = false;     ///< the answer was ended in its midst
};

enum class Level : std::uint8_t { kInfo, kWarning, kError };

/// Writes one JSON object a line on standard error, each with one write, so that threads do not
/// mix. On a terminal the server's own messages are plain text instead.
void log_served(const Served& served);
void log_message(Level level, std::string_view message);

}  // namespace query::server
