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
  bool express = false;     ///< it shared a connection to the database with others
};

enum class Level : std::uint8_t { kInfo, kWarning, kError };

// One JSON object a line on standard error. Lines leave whole, so that threads do not mix. On a
// terminal the server's own messages are plain text instead.

/// Notes a request; flush_log() writes what this thread has noted, with one write.
void log_served(const Served& served);
void flush_log();

/// Writes a message at once.
void log_message(Level level, std::string_view message);

}  // namespace query::server
