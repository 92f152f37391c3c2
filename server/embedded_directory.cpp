#include "embedded_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <query/deadline.hpp>

#include "log.hpp"

namespace query::server {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMarker = ".query-server";
constexpr std::size_t kLongestSocketDirectory = 107 - sizeof("/.s.PGSQL.5432");
constexpr std::chrono::seconds kPredecessor{10};
constexpr std::chrono::milliseconds kStep{50};
constexpr std::uintmax_t kLongLog = 1 << 20;

auto variable(const char* name) -> std::string {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

auto default_directory() -> fs::path {
  if (::geteuid() == 0) {
    return "/var/lib/query-server";
  }
  if (const std::string state = variable("XDG_STATE_HOME"); !state.empty()) {
    return fs::path(state) / "query-server";
  }
  if (const std::string home = variable("HOME"); !home.empty()) {
    return fs::path(home) / ".local/state/query-server";
  }
  throw EmbeddedError(
      "there is no HOME to keep the embedded PostgreSQL's data in: say --data-dir DIR, or name a "
      "database with --database");
}

}  // namespace

void startup_step(const Pause& pause) {
  if (!pause(kStep)) {
    throw EmbeddedError("asked to stop while PostgreSQL was starting");
  }
}

auto errno_text() -> std::string { return std::generic_category().message(errno); }

auto first_line(const fs::path& path) -> std::string {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

EmbeddedDirectory::EmbeddedDirectory(const std::string& path, std::optional<Account> account,
                                     const Pause& pause)
    : account_(account) {
  choose(path);
  lock(pause);
  choose_socket_directory();
}

EmbeddedDirectory::~EmbeddedDirectory() {
  if (socket_directory_is_temporary_) {
    std::error_code error;
    fs::remove_all(socket_directory_, error);
  }
}

void EmbeddedDirectory::make_private(const fs::path& path) const {
  fs::create_directories(path.parent_path());
  const bool made = fs::create_directory(path);
  if (::chmod(path.c_str(), S_IRWXU) != 0 && made) {
    throw EmbeddedError("the directory " + path.string() +
                        " cannot be made private: " + errno_text());
  }
  if (account_ && ::chown(path.c_str(), account_->uid, account_->gid) != 0) {
    throw EmbeddedError("the directory " + path.string() +
                        " cannot be given to the user postgres: " + errno_text());
  }
}

void EmbeddedDirectory::choose(const std::string& path) {
  path_ = fs::absolute(path.empty() ? default_directory() : fs::path(path));
  if (fs::exists(path_) && !fs::is_directory(path_)) {
    throw EmbeddedError(path_.string() + " is not a directory");
  }
  const bool used = fs::exists(path_) && !fs::is_empty(path_);
  if (used && !fs::exists(path_ / kMarker)) {
    throw EmbeddedError(
        "the directory " + path_.string() + " holds files that are not query-server's" +
        (fs::exists(path_ / "PG_VERSION") ? " (it is the data directory of a PostgreSQL)" : "") +
        ": name an empty or a new one with --data-dir");
  }
  make_private(path_);
  if (!used) {
    std::ofstream(path_ / kMarker)
        << "The private PostgreSQL of query-server. Remove the whole directory, or nothing.\n";
  }
}

void EmbeddedDirectory::lock(const Pause& pause) {
  // Held as long as this process lives, however it ends.
  lock_.reset(::open((path_ / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (lock_.get() < 0) {
    throw EmbeddedError("the directory " + path_.string() + " cannot be written: " + errno_text());
  }
  const Deadline deadline = after(kPredecessor);
  bool told = false;
  while (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (std::chrono::steady_clock::now() >= deadline) {
      throw EmbeddedError("another query-server is running with the data in " + path_.string() +
                          ": use that one, or give this one a --data-dir of its own");
    }
    if (!std::exchange(told, true)) {
      log_message(Level::kInfo,
                  "another query-server uses " + path_.string() + "; waiting for it to end");
    }
    startup_step(pause);
  }
}

void EmbeddedDirectory::choose_socket_directory() {
  socket_directory_ = path_ / "run";
  if (socket_directory_.string().size() <= kLongestSocketDirectory) {
    make_private(socket_directory_);
    return;
  }
  std::string pattern = "/tmp/query-server-XXXXXX";  // a socket's path must be short
  if (::mkdtemp(pattern.data()) == nullptr) {
    throw EmbeddedError("no directory for the socket can be made in /tmp: " + errno_text());
  }
  socket_directory_ = pattern;
  socket_directory_is_temporary_ = true;
  make_private(socket_directory_);
}

auto EmbeddedDirectory::open_log() const -> Descriptor {
  std::error_code error;
  if (const auto size = fs::file_size(log_file(), error); !error && size > kLongLog) {
    fs::rename(log_file(), log_file() + ".1", error);
  }
  Descriptor log(::open(log_file().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (log.get() < 0) {
    throw EmbeddedError("the log " + log_file() + " cannot be written: " + errno_text());
  }
  return log;
}

auto EmbeddedDirectory::log_tail() const -> std::string {
  constexpr std::size_t kLines = 8;
  std::ifstream file(log_file());
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    lines.push_back(line);
    if (lines.size() > kLines) {
      lines.erase(lines.begin());
    }
  }
  std::string out;
  for (const std::string& line : lines) {
    out += "  " + line + "\n";
  }
  return out + "(from " + log_file() + ")";
}

}  // namespace query::server
