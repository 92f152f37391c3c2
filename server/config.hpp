#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace query::server {

/// Where to listen, taken apart.
struct Address {
  std::string host;
  std::uint16_t port = 0;

  /// Whether nobody but this machine can reach it. False for a name that cannot be resolved.
  [[nodiscard]] auto loopback() const -> bool;

  /// As part of a URL: an IPv6 address in brackets.
  [[nodiscard]] auto text() const -> std::string;
};

/// `host:port`, `[::1]:port`, or `:port` for every address; nothing where it is none of these.
[[nodiscard]] auto parse_address(std::string_view text) -> std::optional<Address>;

/// Every setting, with its default. A flag --like-this, a variable QUERY_LIKE_THIS and a line
/// `like-this = …` of the config file are the same setting; the first of these three counts.
struct Config {
  std::string listen = "127.0.0.1:8080";
  std::string auth;
  std::vector<std::string> allow_origins;

  std::string database;
  std::string database_file;

  std::uint64_t pool_size = 10;
  std::uint64_t pool_queue = 1024;
  std::uint64_t pool_wait_ms = 2000;
  std::uint64_t statement_cache = 256;
  bool session_reset = true;

  std::uint64_t timeout_ms = 30000;
  std::uint64_t max_timeout_ms = 300000;
  std::uint64_t max_body_bytes = 16777216;
  std::uint64_t max_rows = 0;
  bool read_only = false;

  std::uint64_t workers = 0;
  std::uint64_t max_connections = 10000;
  std::uint64_t idle_timeout_ms = 30000;
  std::uint64_t read_timeout_ms = 10000;
  std::uint64_t write_timeout_ms = 30000;
  std::uint64_t drain_delay_ms = 0;
  std::uint64_t drain_timeout_ms = 25000;

  std::string postgres_bin;
  std::string data_dir;

  bool check_config = false;
  bool healthcheck = false;

  // What follows from the above.
  Address address;
  bool embedded = false;        ///< no database was named: start a private PostgreSQL
  std::string conninfo;         ///< what to connect to; empty also where PG* variables say it
  std::string database_source;  ///< in words, where that came from
  std::vector<std::string> warnings;
};

/// The program has said what it had to say and ends.
struct Exit {
  int code = 0;
  std::string text;  ///< for stdout where code is 0, else for stderr
};

/// The variables of the environment. An empty one counts as not set.
using Environment = std::map<std::string, std::string>;

/// Reads the command line (without the program's name), the environment and the config file.
/// Refuses what is unknown, malformed or unsafe.
[[nodiscard]] auto load_config(std::vector<std::string> arguments, const Environment& environment)
    -> std::variant<Config, Exit>;

/// Every setting as it would be used, in the form of a config file; passwords are not shown.
[[nodiscard]] auto describe(const Config& config) -> std::string;

/// What --help prints.
[[nodiscard]] auto help_text() -> std::string;

/// A connection string, or a text that holds one, with every password replaced by stars.
[[nodiscard]] auto redact(std::string_view text) -> std::string;

}  // namespace query::server
