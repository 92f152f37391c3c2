// A server of our own, to be stopped, killed and frozen.

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "database.hpp"

using namespace std::chrono_literals;
using query::ConnectionError;
using query::Pool;
using test::Witness;
using Clock = std::chrono::steady_clock;

namespace {

/// A throw-away cluster beside the one that all tests share.
class Cluster {
 public:
  Cluster() {
    const auto unique = "query-restart-" + std::to_string(::getpid());
    directory_ = std::filesystem::temp_directory_path() / unique;
    REQUIRE(script("start", ""));
    std::getline(std::ifstream(directory_ / "dsn"), dsn_);
    REQUIRE_FALSE(dsn_.empty());
  }
  ~Cluster() { (void)script("stop", "immediate"); }
  Cluster(const Cluster&) = delete;
  auto operator=(const Cluster&) -> Cluster& = delete;

  void restart(const std::string& mode) const { CHECK(script("restart", mode)); }

  [[nodiscard]] auto options(std::size_t size) const -> query::PoolOptions {
    auto options = test::pool_options(size);
    options.conninfo = dsn_;
    return options;
  }
  [[nodiscard]] auto dsn() const -> const std::string& { return dsn_; }
  [[nodiscard]] auto directory() const -> const std::filesystem::path& { return directory_; }

 private:
  [[nodiscard]] auto script(const std::string& command, const std::string& argument) const -> bool {
    const auto script =
        std::filesystem::path(__FILE__).parent_path().parent_path() / "pg_cluster.sh";
    const std::string line = "'" + script.string() + "' " + command + " '" + directory_.string() +
                             "' " + argument + " >/dev/null";
    return std::system(line.c_str()) == 0;  // NOLINT(concurrency-mt-unsafe,cert-env33-c)
  }

  std::filesystem::path directory_;
  std::string dsn_;
};

/// Whether the pool works again within the time that a restart may take.
auto recovers(Pool& pool) -> bool {
  return test::eventually([&] {
    try {
      return test::value(pool, "select 1") == "1";
    } catch (const ConnectionError&) {
      return false;
    }
  });
}

/// Runs a long statement, lets `trouble` happen, and returns the SQLSTATE of what the caller got.
template <class Trouble>
auto sqlstate_during(const Cluster& cluster, Pool& pool, Trouble&& trouble) -> std::string {
  std::string sqlstate = "none";
  std::thread victim([&] {
    try {
      (void)pool.execute("select pg_sleep(25)", test::within());
    } catch (const ConnectionError& error) {
      sqlstate = error.outcome_unknown() ? error.sqlstate() : "not unknown";
    } catch (const query::Error& error) {
      sqlstate = std::string("not a ConnectionError: ") + error.what();
    }
  });
  {
    Witness witness(cluster.dsn());
    CHECK(test::eventually([&] {
      return witness.value(
                 "select count(*) from pg_stat_activity where query = 'select pg_sleep(25)'") ==
             "1";
    }));
  }
  trouble();
  victim.join();
  return sqlstate;
}

void open_all(Pool& pool, std::size_t count) {
  std::vector<query::Connection> connections;
  for (std::size_t i = 0; i < count; ++i) {
    connections.push_back(pool.acquire(test::within()));
    CHECK(test::value(connections.back(), "select 1") == "1");
  }
}

}  // namespace

TEST_CASE("a pool gets over a server that comes back", "[server_restart]") {
  const Cluster cluster;
  Pool pool(cluster.options(4));

  SECTION("after a fast shutdown") {
    open_all(pool, 4);
    CHECK(sqlstate_during(cluster, pool, [&] { cluster.restart("fast"); }) == "57P01");
  }
  SECTION("after an immediate shutdown") {
    open_all(pool, 4);
    const std::string sqlstate =
        sqlstate_during(cluster, pool, [&] { cluster.restart("immediate"); });
    // Only a warning tells why, and it need not get through.
    CAPTURE(sqlstate);
    CHECK((sqlstate == "57P01" || sqlstate == "57P02" || sqlstate == "08006"));
  }
  SECTION("after a backend was killed and all others had to go") {
    open_all(pool, 4);
    pid_t victim = 0;
    const std::string sqlstate = sqlstate_during(cluster, pool, [&] {
      Witness witness(cluster.dsn());
      victim =
          std::stoi(witness.value("select pid from pg_stat_activity where application_name = "
                                  "'libquery' and state = 'idle' limit 1"));
      CHECK(::kill(victim, SIGKILL) == 0);
    });
    CAPTURE(sqlstate);
    CHECK((sqlstate == "57P02" || sqlstate == "08006"));
  }
  CHECK(recovers(pool));
  // Not one of the old connections is handed out.
  open_all(pool, 4);
  CHECK(pool.stats().size == 4);
}

TEST_CASE("while the server is down callers are told so at once", "[server_restart]") {
  const Cluster cluster;
  Pool pool(cluster.options(2));
  open_all(pool, 2);
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::atomic<int> told{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        const auto begin = Clock::now();
        try {
          wrong += test::value(pool, "select 7") == "7" ? 0 : 1;
        } catch (const ConnectionError&) {
          ++told;
        } catch (const query::Busy&) {
          ++told;
        } catch (const std::exception&) {
          ++wrong;
        }
        wrong += Clock::now() - begin < 10s ? 0 : 1;
      }
    });
  }
  std::this_thread::sleep_for(200ms);
  cluster.restart("fast");
  std::this_thread::sleep_for(200ms);
  stop = true;
  for (auto& thread : threads) {
    thread.join();
  }
  CHECK(wrong == 0);
  CHECK(told > 0);
  CHECK(recovers(pool));
}

TEST_CASE("a backend that hangs is left behind soon after the deadline", "[server_restart]") {
  const Cluster cluster;
  Pool pool(cluster.options(1));
  const std::string pid = test::value(pool, "select pg_backend_pid()");
  REQUIRE(::kill(static_cast<pid_t>(std::stoi(pid)), SIGSTOP) == 0);
  const auto begin = Clock::now();
  query::QueryOptions options;
  options.deadline = query::after(300ms);
  std::string what = "an answer from a stopped process";
  try {
    (void)pool.execute("select 1", options);
  } catch (const query::Timeout& timeout) {
    what = "timeout";
  }
  CHECK(what == "timeout");
  CHECK(Clock::now() - begin < 4s);
  CHECK(test::value(pool, "select pg_backend_pid()") != pid);
  CHECK(::kill(static_cast<pid_t>(std::stoi(pid)), SIGCONT) == 0);
}

TEST_CASE("a backend that hangs while it runs has an unknown outcome", "[server_restart]") {
  const Cluster cluster;
  Pool pool(cluster.options(1));
  query::QueryOptions options;
  options.deadline = query::after(1s);
  std::string pid;
  bool unknown = false;
  const auto begin = Clock::now();
  {
    auto rows = pool.query(
        "select pg_backend_pid(), repeat('x', 20000), pg_sleep(0.05) from generate_series(1, 500)",
        options);
    auto block = rows.next();
    REQUIRE(block);
    pid = block->text(0, 0);
    REQUIRE(::kill(static_cast<pid_t>(std::stoi(pid)), SIGSTOP) == 0);
    try {
      while (rows.next()) {
      }
    } catch (const query::Timeout& timeout) {
      unknown = timeout.outcome_unknown();
    }
  }
  CHECK(unknown);
  CHECK(Clock::now() - begin < 5s);
  CHECK(test::value(pool, "select pg_backend_pid()") != pid);
  CHECK(::kill(static_cast<pid_t>(std::stoi(pid)), SIGCONT) == 0);
}

TEST_CASE("a wrong password is told without the password", "[server_restart]") {
  const Cluster cluster;
  {
    Witness witness(cluster.dsn());
    witness.run("create role guarded login password 'correct horse'");
    const std::string hba = witness.value("show hba_file");
    std::ofstream(hba) << "local all guarded scram-sha-256\nlocal all all trust\n";
    witness.run("select pg_reload_conf()");
  }
  auto options = cluster.options(1);
  const std::string base = options.conninfo + " user=guarded password=";
  CHECK(test::eventually([&] {  // the reload takes effect a little later
    options.conninfo = base + "'wrong pony'";
    Pool pool(options);
    try {
      (void)pool.acquire(test::within());
    } catch (const ConnectionError& error) {
      CHECK(error.sqlstate() == "28P01");
      CHECK(std::string(error.what()).find("wrong pony") == std::string::npos);
      return true;
    }
    return false;
  }));
  options.conninfo = base + "'correct horse'";
  Pool pool(options);
  CHECK(test::value(pool, "select current_user") == "guarded");
}

TEST_CASE("a server without a free connection says 53300 and is not the end", "[server_restart]") {
  const Cluster cluster;
  {
    Witness witness(cluster.dsn());
    witness.run("alter system set max_connections = 8");
    witness.run("alter system set max_wal_senders = 0");
    witness.run("create role plain login");
  }
  cluster.restart("fast");
  auto options = cluster.options(20);
  options.conninfo += " user=plain";
  Pool pool(options);
  std::vector<query::Connection> connections;
  std::string sqlstate;
  for (int i = 0; i < 20 && sqlstate.empty(); ++i) {
    try {
      connections.push_back(pool.acquire(test::within()));
    } catch (const ConnectionError& error) {
      sqlstate = error.sqlstate();
      CHECK(error.retryable());
    }
  }
  CHECK(sqlstate == "53300");
  CHECK(connections.size() == 5);  // three are reserved
  connections.pop_back();
  CHECK(test::value(pool, "select 1") == "1");
}
