#pragma once

#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>

#include "child.hpp"
#include "http_socket.hpp"

namespace query::server {

/// Why the embedded PostgreSQL cannot run, in words for a person.
class EmbeddedError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Sleeps a moment; throws EmbeddedError where the server is asked to end while it starts.
void startup_step(const Pause& pause);

/// The text of errno.
[[nodiscard]] auto errno_text() -> std::string;

/// The first line of a file; empty where there is none.
[[nodiscard]] auto first_line(const std::filesystem::path& path) -> std::string;

/// The directory in which an embedded PostgreSQL has all that is its own: marked so that no other
/// directory is taken for one, locked so that no two servers use it, closed to other users.
class EmbeddedDirectory {
 public:
  /// `path` empty: the user's state directory. Waits a while for a server that is just ending.
  /// Throws EmbeddedError.
  EmbeddedDirectory(const std::string& path, std::optional<Account> account, const Pause& pause);
  EmbeddedDirectory(const EmbeddedDirectory&) = delete;
  auto operator=(const EmbeddedDirectory&) -> EmbeddedDirectory& = delete;
  ~EmbeddedDirectory();

  [[nodiscard]] auto path() const noexcept -> const std::filesystem::path& { return path_; }
  [[nodiscard]] auto data() const -> std::filesystem::path { return path_ / "data"; }
  [[nodiscard]] auto log_file() const -> std::string { return (path_ / "postgres.log").string(); }

  /// Where the Unix socket goes: in here, or in /tmp where that path would be too long.
  [[nodiscard]] auto socket_directory() const noexcept -> const std::filesystem::path& {
    return socket_directory_;
  }

  /// The log, to append to.
  [[nodiscard]] auto open_log() const -> Descriptor;

  /// Its last lines, for an error message.
  [[nodiscard]] auto log_tail() const -> std::string;

 private:
  void choose(const std::string& path);
  void lock(const Pause& pause);
  void choose_socket_directory();
  void make_private(const std::filesystem::path& path) const;

  std::optional<Account> account_;
  std::filesystem::path path_;
  std::filesystem::path socket_directory_;
  bool socket_directory_is_temporary_ = false;
  Descriptor lock_;
};

}  // namespace query::server
