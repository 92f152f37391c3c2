#include "embedded.hpp"

#include <fcntl.h>
#include <locale.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <query/error.hpp>
#include <query/pool.hpp>

#include "log.hpp"

namespace query::server {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMarker = ".query-server";
constexpr std::size_t kLongestSocketDirectory = 107 - sizeof("/.s.PGSQL.5432");
constexpr std::chrono::seconds kInitdb{120};
constexpr std::chrono::seconds kStartup{60};
constexpr std::chrono::seconds kPredecessor{10};
constexpr std::chrono::milliseconds kStep{50};
constexpr std::uintmax_t kLongLog = 1 << 20;

auto reason() -> std::string { return std::generic_category().message(errno); }

/// Sleeps a step; throws where the server is asked to end while it starts.
void step(const Pause& pause) {
  if (!pause(kStep)) {
    throw EmbeddedError("asked to stop while PostgreSQL was starting");
  }
}

auto variable(const char* name) -> std::string {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

/// initdb and postgres refuse to run as root.
auto account_to_use() -> std::optional<Account> {
  if (::geteuid() != 0) {
    return std::nullopt;
  }
  const passwd* entry = ::getpwnam("postgres");
  if (entry == nullptr) {
    throw EmbeddedError(
        "PostgreSQL does not run as root, and there is no user \"postgres\" to run it as: start "
        "query-server as another user, or name a database with --database");
  }
  return Account{entry->pw_uid, entry->pw_gid};
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

auto first_line(const fs::path& path) -> std::string {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// Quoted for a connection string.
auto quoted(const std::string& text) -> std::string {
  std::string out = "'";
  for (const char c : text) {
    out += c == '\'' || c == '\\' ? "\\" : "";
    out += c;
  }
  return out + "'";
}

auto has_locale(const char* name) -> bool {
  const locale_t locale = ::newlocale(LC_ALL_MASK, name, nullptr);
  if (locale == nullptr) {
    return false;
  }
  ::freelocale(locale);
  return true;
}

auto status_text(int status) -> std::string {
  return WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                             : "status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

EmbeddedPostgres::EmbeddedPostgres(EmbeddedOptions options, const Pause& pause)
    : options_(std::move(options)) {
  try {
    account_ = account_to_use();
    choose_directory();
    take_directory(pause);
    choose_binaries(pause);
    if (!fs::exists(data())) {
      make_data(pause);
    }
    wait_for_predecessor(pause);
    choose_socket_directory();
    start();
    wait_until_ready(pause);
    make_role();
  } catch (const fs::filesystem_error& error) {
    stop();
    throw EmbeddedError(std::string("the embedded PostgreSQL's files: ") + error.what());
  } catch (const std::system_error& error) {
    stop();
    throw EmbeddedError(std::string("the embedded PostgreSQL: ") + error.what());
  } catch (...) {
    stop();
    throw;
  }
}

EmbeddedPostgres::~EmbeddedPostgres() { stop(); }

void EmbeddedPostgres::make_private_directory(const fs::path& path) const {
  fs::create_directories(path.parent_path());
  const bool made = fs::create_directory(path);
  if (::chmod(path.c_str(), S_IRWXU) != 0 && made) {
    throw EmbeddedError("the directory " + path.string() + " cannot be made private: " + reason());
  }
  if (account_ && ::chown(path.c_str(), account_->uid, account_->gid) != 0) {
    throw EmbeddedError("the directory " + path.string() +
                        " cannot be given to the user postgres: " + reason());
  }
}

void EmbeddedPostgres::choose_directory() {
  directory_ =
      fs::absolute(options_.data_dir.empty() ? default_directory() : fs::path(options_.data_dir));
  if (fs::exists(directory_) && !fs::is_directory(directory_)) {
    throw EmbeddedError(directory_.string() + " is not a directory");
  }
  const bool used = fs::exists(directory_) && !fs::is_empty(directory_);
  if (used && !fs::exists(directory_ / kMarker)) {
    throw EmbeddedError(
        "the directory " + directory_.string() + " holds files that are not query-server's" +
        (fs::exists(directory_ / "PG_VERSION") ? " (it is the data directory of a PostgreSQL)"
                                               : "") +
        ": name an empty or a new one with --data-dir");
  }
  make_private_directory(directory_);
  if (!used) {
    std::ofstream(directory_ / kMarker)
        << "The private PostgreSQL of query-server. Remove the whole directory, or nothing.\n";
  }
}

void EmbeddedPostgres::take_directory(const Pause& pause) {
  // Held as long as this process lives, however it ends.
  lock_.reset(::open((directory_ / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (lock_.get() < 0) {
    throw EmbeddedError("the directory " + directory_.string() + " cannot be written: " + reason());
  }
  const Deadline deadline = after(kPredecessor);
  bool told = false;
  while (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (std::chrono::steady_clock::now() >= deadline) {
      throw EmbeddedError("another query-server is running with the data in " +
                          directory_.string() +
                          ": use that one, or give this one a --data-dir of its own");
    }
    if (!std::exchange(told, true)) {
      log_message(Level::kInfo,
                  "another query-server uses " + directory_.string() + "; waiting for it to end");
    }
    step(pause);
  }
}

void EmbeddedPostgres::choose_binaries(const Pause& pause) {
  const std::vector<PostgresBinaries> found = find_postgres(options_.postgres_bin, pause);
  if (found.empty()) {
    throw EmbeddedError(
        (options_.postgres_bin.empty()
             ? std::string("no database is named, and no PostgreSQL is installed to start one")
             : "there is no initdb and postgres that run in " + options_.postgres_bin) +
        ": install it (Debian and Ubuntu: apt-get install postgresql), say where it is with "
        "--postgres-bin DIR, or name a database with --database");
  }
  if (!fs::exists(data())) {
    binaries_ = found.front();
    return;
  }
  const std::string version = first_line(data() / "PG_VERSION");
  const auto same = std::find_if(found.begin(), found.end(), [&](const PostgresBinaries& one) {
    return std::to_string(one.major) == version;
  });
  if (same == found.end()) {
    throw EmbeddedError("the data in " + data().string() + " were made by PostgreSQL " + version +
                        ", but only PostgreSQL " + std::to_string(found.front().major) +
                        " was found: install PostgreSQL " + version +
                        ", or give this server a new --data-dir");
  }
  binaries_ = *same;
}

void EmbeddedPostgres::make_data(const Pause& pause) {
  log_message(Level::kInfo, "making a database in " + directory_.string() + " with PostgreSQL " +
                                std::to_string(binaries_.major));
  // Under another name until it is whole: an initdb that was interrupted leaves nothing behind.
  const fs::path unfinished = directory_ / "data.new";
  fs::remove_all(unfinished);
  const Descriptor log = open_log();
  const pid_t pid = spawn(
      {.arguments = {(binaries_.directory / "initdb").string(), "--pgdata=" + unfinished.string(),
                     "--username=postgres", "--encoding=UTF8",
                     has_locale("C.UTF-8") ? "--locale=C.UTF-8" : "--locale=C",
                     "--auth-local=trust", "--auth-host=reject", "--data-checksums"},
       .output = log.get(),
       .account = account_,
       .death_signal = SIGKILL});
  const auto status = wait_exit(pid, after(kInitdb), pause);
  if (!status) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    throw EmbeddedError("initdb was stopped before it had finished");
  }
  if (*status != 0) {
    throw EmbeddedError("initdb failed with " + status_text(*status) + ":\n" + log_tail());
  }
  fs::rename(unfinished, data());
}

void EmbeddedPostgres::wait_for_predecessor(const Pause& pause) const {
  // The PostgreSQL of a server that was killed ends by itself, but it takes its time.
  const std::string pid = first_line(data() / "postmaster.pid");
  if (pid.empty() || pid.find_first_not_of("0123456789") != std::string::npos) {
    return;
  }
  const Deadline deadline = after(kPredecessor);
  while (true) {
    std::ifstream file("/proc/" + pid + "/cmdline");
    const std::string command((std::istreambuf_iterator<char>(file)), {});
    if (command.find(data().string()) == std::string::npos) {
      return;  // gone, or a number that another program has by now
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      throw EmbeddedError("a PostgreSQL of an earlier run (process " + pid + ") still uses " +
                          data().string() + " and does not end");
    }
    step(pause);
  }
}

void EmbeddedPostgres::choose_socket_directory() {
  socket_directory_ = directory_ / "run";
  if (socket_directory_.string().size() <= kLongestSocketDirectory) {
    make_private_directory(socket_directory_);
    return;
  }
  std::string pattern = "/tmp/query-server-XXXXXX";  // a socket's path must be short
  if (::mkdtemp(pattern.data()) == nullptr) {
    throw EmbeddedError("no directory for the socket can be made in /tmp: " + reason());
  }
  socket_directory_ = pattern;
  temporary_socket_directory_ = true;
  make_private_directory(socket_directory_);
}

auto EmbeddedPostgres::open_log() const -> Descriptor {
  std::error_code error;
  if (const auto size = fs::file_size(log_file(), error); !error && size > kLongLog) {
    fs::rename(log_file(), log_file() + ".1", error);
  }
  Descriptor log(::open(log_file().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (log.get() < 0) {
    throw EmbeddedError("the log " + log_file() + " cannot be written: " + reason());
  }
  return log;
}

auto EmbeddedPostgres::log_tail() const -> std::string {
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

void EmbeddedPostgres::start() {
  const Descriptor log = open_log();
  pid_ = spawn({.arguments = {(binaries_.directory / "postgres").string(), "-D", data().string(),
                              "-k", socket_directory_.string(), "-h", "", "-p", "5432", "-c",
                              "unix_socket_permissions=0700", "-c",
                              // what a restart of the pool and an administrator may need beside it
                              "max_connections=" + std::to_string(options_.connections + 20)},
                .output = log.get(),
                .account = account_,
                .death_signal = SIGINT});
}

auto EmbeddedPostgres::conninfo_for(const std::string& user, const std::string& database) const
    -> std::string {
  return "host=" + quoted(socket_directory_.string()) + " port=5432 user=" + user +
         " dbname=" + database;
}

void EmbeddedPostgres::wait_until_ready(const Pause& pause) {
  PoolOptions options;
  options.conninfo = conninfo_for("postgres", "postgres");
  options.max_size = 1;
  Pool pool(options);
  const Deadline deadline = after(kStartup);
  while (true) {
    if (exited()) {
      throw EmbeddedError("PostgreSQL did not start:\n" + log_tail());
    }
    try {
      QueryOptions query;
      query.deadline = after(std::chrono::seconds(2));
      pool.execute("select 1", query);
      return;
    } catch (const Error&) {
      if (std::chrono::steady_clock::now() >= deadline) {
        throw EmbeddedError("PostgreSQL did not answer within a minute:\n" + log_tail());
      }
    }
    step(pause);
  }
}

void EmbeddedPostgres::make_role() const {
  // Requests must not be a superuser's: one could read files and run programs by SQL.
  PoolOptions options;
  options.conninfo = conninfo_for("postgres", "postgres");
  options.max_size = 1;
  try {
    Pool pool(options);
    if (pool.execute("select from pg_roles where rolname = 'app'").rows() == 0) {
      pool.execute("create role app login");
    }
    if (pool.execute("select from pg_database where datname = 'app'").rows() == 0) {
      pool.execute("create database app owner app");
    }
  } catch (const Error& error) {
    throw EmbeddedError(std::string("the role and database \"app\" cannot be made: ") +
                        error.what());
  }
}

auto EmbeddedPostgres::exited() -> bool {
  if (pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) == pid_) {
    pid_ = -1;
  }
  return pid_ <= 0;
}

void EmbeddedPostgres::stop() noexcept {
  // Fast shutdown, then one without a checkpoint, then none at all.
  constexpr std::array<std::pair<int, std::chrono::seconds>, 3> kWays = {
      {{SIGINT, std::chrono::seconds(20)},
       {SIGQUIT, std::chrono::seconds(5)},
       {SIGKILL, std::chrono::seconds(5)}}};
  for (const auto& [signal, patience] : kWays) {
    if (exited()) {
      break;
    }
    ::kill(pid_, signal);
    const auto sleep = [](std::chrono::milliseconds time) {
      std::this_thread::sleep_for(time);
      return true;
    };
    if (wait_exit(pid_, after(patience), sleep)) {
      pid_ = -1;
    }
  }
  if (temporary_socket_directory_) {
    std::error_code error;
    fs::remove_all(socket_directory_, error);
  }
}

}  // namespace query::server
