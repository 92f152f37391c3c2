#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "child.hpp"
#include "embedded_binaries.hpp"
#include "http_socket.hpp"

namespace query::server {

/// Why the embedded PostgreSQL cannot run, in words for a person.
class EmbeddedError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct EmbeddedOptions {
  std::string postgres_bin;
  std::string data_dir;         ///< empty: the user's state directory
  std::size_t connections = 0;  ///< how many the pool will open
};

/// A private PostgreSQL: its data under the user's state directory and kept between runs, reached
/// by a Unix socket in a directory that is the user's alone, run as `postgres` where the server
/// is root. Requests get a role that is no superuser. It dies with this process.
class EmbeddedPostgres {
 public:
  /// Finds it, makes its data if there are none, starts it and waits until it answers. Throws
  /// EmbeddedError. Only while this process has one thread, which must outlive the object.
  EmbeddedPostgres(EmbeddedOptions options, const Pause& pause);
  EmbeddedPostgres(const EmbeddedPostgres&) = delete;
  auto operator=(const EmbeddedPostgres&) -> EmbeddedPostgres& = delete;
  ~EmbeddedPostgres();

  [[nodiscard]] auto conninfo() const -> std::string { return conninfo_for("app", "app"); }
  [[nodiscard]] auto pid() const noexcept -> pid_t { return pid_; }
  [[nodiscard]] auto version() const noexcept -> int { return binaries_.major; }
  [[nodiscard]] auto directory() const -> std::string { return directory_.string(); }
  [[nodiscard]] auto log_file() const -> std::string {
    return (directory_ / "postgres.log").string();
  }

  /// Whether it has ended without being asked to.
  [[nodiscard]] auto exited() -> bool;

  /// Stops it, first politely; within half a minute it is gone.
  void stop() noexcept;

 private:
  void choose_directory();
  void take_directory(const Pause& pause);
  void choose_binaries(const Pause& pause);
  void make_data(const Pause& pause);
  void wait_for_predecessor(const Pause& pause) const;
  void choose_socket_directory();
  void start();
  void wait_until_ready(const Pause& pause);
  void make_role() const;

  [[nodiscard]] auto data() const -> std::filesystem::path { return directory_ / "data"; }
  void make_private_directory(const std::filesystem::path& path) const;
  [[nodiscard]] auto open_log() const -> Descriptor;
  [[nodiscard]] auto log_tail() const -> std::string;
  [[nodiscard]] auto conninfo_for(const std::string& user, const std::string& database) const
      -> std::string;

  EmbeddedOptions options_;
  std::optional<Account> account_;
  std::filesystem::path directory_;
  std::filesystem::path socket_directory_;
  bool temporary_socket_directory_ = false;
  Descriptor lock_;
  PostgresBinaries binaries_;
  pid_t pid_ = -1;
};

}  // namespace query::server
