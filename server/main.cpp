#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include <query/pool.hpp>

#include "config.hpp"
#include "embedded.hpp"
#include "healthcheck.hpp"
#include "http.hpp"
#include "log.hpp"
#include "service.hpp"
#include "signals.hpp"

namespace query::server {
namespace {

using std::chrono::milliseconds;

auto milliseconds_of(std::uint64_t count) -> milliseconds {
  return milliseconds(static_cast<milliseconds::rep>(count));
}

auto environment() -> Environment {
  Environment out;
  for (char** one = environ; one != nullptr && *one != nullptr; ++one) {
    const std::string_view entry = *one;
    const auto equals = entry.find('=');
    out.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return out;
}

auto pool_options(const Config& config, const std::string& conninfo) -> PoolOptions {
  PoolOptions options;
  options.conninfo = conninfo;
  options.max_size = config.pool_size;
  options.max_waiting = config.pool_queue;
  options.max_wait = milliseconds_of(config.pool_wait_ms);
  options.statement_cache = config.statement_cache;
  options.reset_session = config.session_reset;
  return options;
}

auto service_limits(const Config& config) -> ServiceLimits {
  return {.timeout = milliseconds_of(config.timeout_ms),
          .max_timeout = milliseconds_of(config.max_timeout_ms),
          .max_rows = config.max_rows,
          .read_only = config.read_only};
}

auto http_options(const Config& config) -> HttpOptions {
  // Half of the connections to the database are for requests that need one of their own.
  const std::uint64_t lanes = config.pool_size / 2;
  const std::uint64_t cores = std::max(1U, std::thread::hardware_concurrency());
  const std::uint64_t loops =
      config.workers > 0 ? config.workers : std::clamp<std::uint64_t>(lanes, 1, cores);
  constexpr std::uint64_t kMostThreads = 512;
  return {.address = config.address,
          .loops = loops,
          .threads = std::min(config.pool_size + config.pool_queue, kMostThreads) + loops,
          // A session that is not ours alone cannot be shared.
          .express = loops <= lanes && config.session_reset && config.statement_cache > 0,
          .max_connections = config.max_connections,
          .max_body = config.max_body_bytes,
          .idle_timeout = milliseconds_of(config.idle_timeout_ms),
          .read_timeout = milliseconds_of(config.read_timeout_ms),
          .write_timeout = milliseconds_of(config.write_timeout_ms),
          .browser = {.allow_origins = config.allow_origins,
                      // Who says --auth none has something in front that knows the names.
                      .only_local_hosts = config.auth.empty() && config.address.loopback(),
                      .listen_host = config.address.host}};
}

/// A descriptor for every connection; the usual soft limit of 1024 is for select().
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
}

auto start_embedded(const Config& config, const Signals& signals)
    -> std::unique_ptr<EmbeddedPostgres> {
  for (const auto& [name, value] : environment()) {
    if (name.starts_with("PG")) {
      ::unsetenv(name.c_str());  // meant for another database
    }
  }
  const auto pause = [&signals](milliseconds time) {
    const auto signal = signals.wait(time);
    return !signal || !Signals::ends(*signal);
  };
  auto embedded = std::make_unique<EmbeddedPostgres>(
      EmbeddedOptions{config.postgres_bin, config.data_dir, config.pool_size}, pause);
  log_message(Level::kInfo, "embedded PostgreSQL " + std::to_string(embedded->version()) +
                                " started; its data are in " + embedded->directory());
  return embedded;
}

/// Where people find the server, in words that can be copied.
void announce(const Config& config, std::uint16_t port) {
  Address shown = config.address;
  shown.port = port;
  if (shown.host.empty() || shown.host == "0.0.0.0" || shown.host == "::") {
    shown.host = "localhost";
  }
  log_message(Level::kInfo, "listening on http://" + shown.text());
  if (shown.host == "127.0.0.1" || shown.host == "::1") {
    shown.host = "localhost";
  }
  log_message(Level::kInfo, "try: curl " + shown.text() + "/query -d 'select 1 as one'");
}

/// Takes the ended children that are not the embedded PostgreSQL: process 1 inherits orphans.
void reap(pid_t except) {
  while (true) {
    siginfo_t ended{};
    if (::waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) != 0 || ended.si_pid == 0 ||
        ended.si_pid == except) {
      return;
    }
    ::waitpid(ended.si_pid, nullptr, 0);
  }
}

/// Serves until a signal says stop (true) or the embedded PostgreSQL has died (false).
auto serve_until_signal(const Signals& signals, EmbeddedPostgres* embedded) -> bool {
  while (true) {
    const auto signal = signals.wait(milliseconds(1000));
    if (signal && Signals::ends(*signal)) {
      return true;
    }
    if (embedded != nullptr && embedded->exited()) {
      log_message(Level::kError, "the embedded PostgreSQL has ended by itself; its log is " +
                                     embedded->log_file());
      return false;
    }
    if (signal) {
      reap(embedded == nullptr ? 0 : embedded->pid());
    }
  }
}

/// Waits until `done` or the deadline; false where a signal asked for more haste.
template <class Done>
auto wait_patiently(const Signals& signals, Deadline deadline, Done done) -> bool {
  while (!done() && std::chrono::steady_clock::now() < deadline) {
    const auto signal = signals.wait(milliseconds(20));
    if (signal && Signals::ends(*signal)) {
      return false;
    }
  }
  return true;
}

/// The way down: unready at once, serve on for a while, accept no more, let requests end, cancel
/// the rest. False where some could not be ended.
auto drain(const Config& config, const Signals& signals, Service& service, HttpServer& http,
           Pool& pool, bool in_haste) -> bool {
  const auto idle = [&http] { return http.wait_idle(std::chrono::steady_clock::now()); };
  service.drain();
  http.drain();
  pool.close_idle();
  bool patient = !in_haste;
  if (patient) {
    log_message(Level::kInfo, "stopping: finishing what runs");
    patient = wait_patiently(signals, after(milliseconds_of(config.drain_delay_ms)),
                             [] { return false; });
  }
  http.stop_accepting();
  if (patient) {
    (void)wait_patiently(signals, after(milliseconds_of(config.drain_timeout_ms)), idle);
  }
  service.abort();
  if (!http.wait_idle(after(std::chrono::seconds(3)))) {
    http.abort();
  }
  return http.wait_idle(after(std::chrono::seconds(3)));
}

auto run(const Config& config, const Signals& signals) -> int {
  for (const std::string& warning : config.warnings) {
    log_message(Level::kWarning, warning);
  }
  raise_file_limit();
  std::unique_ptr<EmbeddedPostgres> embedded;
  if (config.embedded) {
    embedded = start_embedded(config, signals);
  }
  Pool pool(pool_options(config, embedded ? embedded->conninfo() : config.conninfo));
  Service service(pool, service_limits(config));
  HttpServer http(service, http_options(config));
  const std::uint16_t port = http.bind();
  std::thread accepting([&http] { http.run(); });
  announce(config, port);
  std::thread first_look([&service] {
    if (const auto error = service.check_database(after(std::chrono::seconds(10)))) {
      log_message(Level::kWarning, "the database cannot be reached yet: " + redact(*error));
    }
  });

  const bool asked = serve_until_signal(signals, embedded.get());
  const bool all_ended = drain(config, signals, service, http, pool, !asked);
  pool.close();
  if (embedded) {
    embedded->stop();
  }
  log_message(Level::kInfo, "stopped");
  if (!all_ended) {
    ::_exit(asked ? 0 : 1);  // some thread hangs: no use in waiting for it
  }
  first_look.join();
  accepting.join();
  return asked ? 0 : 1;
}

auto check(const Config& config) -> int {
  (void)Pool(pool_options(config, config.conninfo));  // refuses what cannot be parsed
  for (const std::string& warning : config.warnings) {
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
  }
  std::fputs(describe(config).c_str(), stdout);
  return 0;
}

auto start(int argc, char** argv) -> int {
  const Signals signals;
  auto loaded = load_config(std::vector<std::string>(argv + 1, argv + argc), environment());
  if (const auto* exit = std::get_if<Exit>(&loaded)) {
    std::fputs(exit->text.c_str(), exit->code == 0 ? stdout : stderr);
    return exit->code;
  }
  const Config& config = std::get<Config>(loaded);
  if (config.healthcheck) {
    const auto error = healthcheck(config.address);
    if (error) {
      std::fprintf(stderr, "query-server: %s\n", error->c_str());
    }
    return error ? 1 : 0;
  }
  try {
    return config.check_config ? check(config) : run(config, signals);
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "query-server: %s: %s\n", config.database_source.c_str(),
                 redact(error.what()).c_str());
    return 2;
  } catch (const std::exception& error) {
    log_message(Level::kError, error.what());
    return 1;
  }
}

}  // namespace
}  // namespace query::server

auto main(int argc, char** argv) -> int {
  try {
    return query::server::start(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "query-server: %s\n", error.what());
    return 1;
  }
}
