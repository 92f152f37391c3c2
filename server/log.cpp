#include "log.hpp"

#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdio>
#include <ctime>

#include "json_text.hpp"

namespace query::server {
namespace {

void write_lines(std::string_view lines) {
  while (!lines.empty()) {
    const ssize_t count = ::write(STDERR_FILENO, lines.data(), lines.size());
    if (count <= 0) {
      return;  // nobody listens: no reason to stop serving
    }
    lines.remove_prefix(static_cast<std::size_t>(count));
  }
}

/// Requests noted by this thread.
thread_local std::string noted;

/// Now, as 2024-01-02T03:04:05.678Z.
auto timestamp() -> std::string {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  std::tm utc{};
  ::gmtime_r(&now.tv_sec, &utc);
  std::array<char, 40> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text.data() + length, text.size() - length, ".%03dZ",
                static_cast<int>(now.tv_nsec / 1'000'000));
  return text.data();
}

void member(std::string& line, std::string_view name, std::string_view text) {
  append_json_key(line, name);
  append_json_string(line, text);
}

void member(std::string& line, std::string_view name, std::uint64_t number) {
  append_json_key(line, name);
  line += std::to_string(number);
}

auto begin(std::string_view level) -> std::string {
  std::string line = "{";
  member(line, "time", timestamp());
  member(line, "level", level);
  return line;
}

auto named(Level level) -> std::string_view {
  switch (level) {
    case Level::kInfo:
      return "info";
    case Level::kWarning:
      return "warning";
    case Level::kError:
      return "error";
  }
  return {};
}

}  // namespace

void log_served(const Served& served) {
  std::string line = begin(served.status >= 500 ? "error" : "info");
  member(line, "request_id", served.request_id);
  member(line, "remote", served.remote);
  member(line, "method", served.method);
  member(line, "path", served.path);
  member(line, "status", static_cast<std::uint64_t>(served.status));
  std::array<char, 32> milliseconds{};
  std::snprintf(milliseconds.data(), milliseconds.size(), "%.3f",
                static_cast<double>(served.duration.count()) / 1000);
  append_json_key(line, "duration_ms");
  line += milliseconds.data();
  member(line, "bytes", served.bytes);
  member(line, "rows", served.rows);
  if (!served.code.empty()) {
    member(line, "code", served.code);
  }
  if (!served.detail.empty()) {
    member(line, "detail", served.detail);
  }
  if (served.cut_off) {
    append_json_key(line, "cut_off");
    line += "true";
  }
  if (served.express) {
    append_json_key(line, "express");
    line += "true";
  }
  noted.append(line).append("}\n");
  constexpr std::size_t kMost = std::size_t{64} << 10;
  if (noted.size() > kMost) {
    flush_log();
  }
}

void flush_log() {
  write_lines(noted);
  noted.clear();
}

void log_message(Level level, std::string_view message) {
  static const bool terminal = ::isatty(STDERR_FILENO) == 1;
  if (terminal) {
    write_lines((level == Level::kInfo ? "" : std::string(named(level)) + ": ") +
                std::string(message) + "\n");
    return;
  }
  std::string line = begin(named(level));
  member(line, "message", message);
  write_lines(line + "}\n");
}

}  // namespace query::server
