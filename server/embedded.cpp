#include "embedded.hpp"

#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <clocale>
#include <csignal>
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

constexpr std::chrono::seconds kInitdb{120};
constexpr std::chrono::seconds kStartup{60};
constexpr std::chrono::seconds kPredecessor{10};

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
    : options_(std::move(options)),
      account_(account_to_use()),
      directory_(options_.data_dir, account_, pause) {
  try {
    choose_binaries(pause);
    if (!fs::exists(directory_.data())) {
      make_data(pause);
    }
    wait_for_predecessor(pause);
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
  if (!fs::exists(directory_.data())) {
    binaries_ = found.front();
    return;
  }
  const std::string version = first_line(directory_.data() / "PG_VERSION");
  const auto same = std::find_if(found.begin(), found.end(), [&](const PostgresBinaries& one) {
    return std::to_string(one.major) == version;
  });
  if (same == found.end()) {
    throw EmbeddedError("the data in " + directory_.data().string() + " were made by PostgreSQL " +
                        version + ", but only PostgreSQL " + std::to_string(found.front().major) +
                        " was found: install PostgreSQL " + version +
                        ", or give this server a new --data-dir");
  }
  binaries_ = *same;
}

void EmbeddedPostgres::make_data(const Pause& pause) {
  log_message(Level::kInfo, "making a database in " + directory_.path().string() +
                                " with PostgreSQL " + std::to_string(binaries_.major));
  // Under another name until it is whole: an initdb that was interrupted leaves nothing behind.
  const fs::path unfinished = directory_.path() / "data.new";
  fs::remove_all(unfinished);
  const Descriptor log = directory_.open_log();
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
    end_at_once(pid);
    throw EmbeddedError("initdb was stopped before it had finished");
  }
  if (*status != 0) {
    throw EmbeddedError("initdb failed with " + status_text(*status) + ":\n" +
                        directory_.log_tail());
  }
  fs::rename(unfinished, directory_.data());
}

void EmbeddedPostgres::wait_for_predecessor(const Pause& pause) const {
  // The PostgreSQL of a server that was killed ends by itself, but it takes its time.
  const std::string pid = first_line(directory_.data() / "postmaster.pid");
  if (pid.empty() || pid.find_first_not_of("0123456789") != std::string::npos) {
    return;
  }
  const Deadline deadline = after(kPredecessor);
  while (true) {
    std::ifstream file("/proc/" + pid + "/cmdline");
    const std::string command((std::istreambuf_iterator<char>(file)), {});
    if (command.find(directory_.data().string()) == std::string::npos) {
      return;  // gone, or a number that another program has by now
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      throw EmbeddedError("a PostgreSQL of an earlier run (process " + pid + ") still uses " +
                          directory_.data().string() + " and does not end");
    }
    startup_step(pause);
  }
}

void EmbeddedPostgres::start() {
  const Descriptor log = directory_.open_log();
  pid_ =
      spawn({.arguments = {(binaries_.directory / "postgres").string(), "-D",
                           directory_.data().string(), "-k", directory_.socket_directory().string(),
                           "-h", "", "-p", "5432", "-c", "unix_socket_permissions=0700", "-c",
                           // what a restart of the pool and an administrator may need beside it
                           "max_connections=" + std::to_string(options_.connections + 20)},
             .output = log.get(),
             .account = account_,
             .death_signal = SIGINT});
}

auto EmbeddedPostgres::conninfo_for(const std::string& user, const std::string& database) const
    -> std::string {
  return "host=" + quoted(directory_.socket_directory().string()) + " port=5432 user=" + user +
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
      throw EmbeddedError("PostgreSQL did not start:\n" + directory_.log_tail());
    }
    try {
      QueryOptions query;
      query.deadline = after(std::chrono::seconds(2));
      pool.execute("select 1", query);
      return;
    } catch (const Error&) {
      if (std::chrono::steady_clock::now() >= deadline) {
        throw EmbeddedError("PostgreSQL did not answer within a minute:\n" + directory_.log_tail());
      }
    }
    startup_step(pause);
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
}

}  // namespace query::server
