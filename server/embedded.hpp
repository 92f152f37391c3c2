#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "child.hpp"
#include "embedded_binaries.hpp"
#include "embedded_directory.hpp"

namespace query::server {

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
  [[nodiscard]] auto directory() const -> std::string { return directory_.path().string(); }
  [[nodiscard]] auto log_file() const -> std::string { return directory_.log_file(); }

  /// Whether it has ended without being asked to.
  [[nodiscard]] auto exited() -> bool;

  /// Stops it, first politely; within half a minute it is gone.
  void stop() noexcept;

 private:
  void choose_binaries(const Pause& pause);
  void make_data(const Pause& pause);
  void wait_for_predecessor(const Pause& pause) const;
  void start();
  void wait_until_ready(const Pause& pause);
  void make_role() const;
  [[nodiscard]] auto conninfo_for(const std::string& user, const std::string& database) const
      -> std::string;

  EmbeddedOptions options_;
  std::optional<Account> account_;
  EmbeddedDirectory directory_;
  PostgresBinaries binaries_;
  pid_t pid_ = -1;
};

}  // namespace query::server
