#include "config.hpp"

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <variant>
#include <vector>

#include "catch.hpp"
#include "settings.hpp"

using query::server::Config;
using query::server::Environment;
using query::server::Exit;
using query::server::load_config;

namespace {

auto good(const std::vector<std::string>& arguments, const Environment& environment = {})
    -> Config {
  auto loaded = load_config(arguments, environment);
  if (const auto* exit = std::get_if<Exit>(&loaded)) {
    FAIL(exit->text);
  }
  return std::get<Config>(loaded);
}

/// What the program says when it refuses to start.
auto refusal(const std::vector<std::string>& arguments, const Environment& environment = {})
    -> std::string {
  const auto loaded = load_config(arguments, environment);
  const auto* exit = std::get_if<Exit>(&loaded);
  return exit == nullptr || exit->code == 0 ? "accepted" : exit->text;
}

/// A file that goes away.
class File {
 public:
  explicit File(const std::string& content) {
    std::string name = "/tmp/query-config-XXXXXX";
    const int fd = ::mkstemp(name.data());
    REQUIRE(fd >= 0);
    ::close(fd);
    path_ = name;
    std::ofstream(path_) << content;
  }
  File(const File&) = delete;
  auto operator=(const File&) -> File& = delete;
  ~File() { std::remove(path_.c_str()); }
  [[nodiscard]] auto path() const -> const std::string& { return path_; }

 private:
  std::string path_;
};

}  // namespace

TEST_CASE("with nothing said the defaults hold and PostgreSQL is embedded") {
  const Config config = good({});
  CHECK(config.address.host == "127.0.0.1");
  CHECK(config.address.port == 8080);
  CHECK(config.pool_size == 10);
  CHECK(config.session_reset);
  CHECK_FALSE(config.read_only);
  CHECK(config.embedded);
}

TEST_CASE("the command line counts before the environment, that before the file") {
  const File file("pool-size = 3\nmax-rows = 7\nread-only = true\nlisten = \"127.0.0.1:9\"\n");
  const Environment environment = {{"QUERY_CONFIG", file.path()},
                                   {"QUERY_POOL_SIZE", "4"},
                                   {"QUERY_MAX_ROWS", "8"},
                                   {"QUERY_TIMEOUT_MS", ""}};
  const Config config = good({"--pool-size", "5", "--max-timeout-ms=60000"}, environment);
  CHECK(config.pool_size == 5);
  CHECK(config.max_rows == 8);
  CHECK(config.read_only);
  CHECK(config.address.port == 9);
  CHECK(config.max_timeout_ms == 60000);
  CHECK(config.timeout_ms == 30000);  // an empty variable is none
}

TEST_CASE("every setting can be given in each of the three ways") {
  for (const auto& setting : query::server::settings()) {
    const std::string name(setting.name);
    const std::string value = name == "listen"                ? "127.0.0.1:7"
                              : name == "auth"                ? "none"
                              : name == "allow-origin"        ? "http://a"
                              : setting.value.empty()         ? "true"
                              : setting.value == "true|false" ? "false"
                              : setting.most > 0              ? std::to_string(setting.least + 1)
                              : name == "database-file"       ? "/dev/null"
                                                              : "x";
    const File file(name + " = \"" + value + "\"\n");
    INFO(name);
    // Some refuse the value for a reason of their own, then all three do.
    const auto text = [](const auto& loaded) {
      const auto* config = std::get_if<Config>(&loaded);
      return config == nullptr ? "refused" : query::server::describe(*config);
    };
    const auto by_flag = text(load_config({"--" + name + "=" + value}, {}));
    CHECK(by_flag == text(load_config({}, {{variable_name(setting), value}})));
    CHECK(by_flag == text(load_config({"--config", file.path()}, {})));
    CHECK(by_flag != query::server::describe(good({})));
  }
}

TEST_CASE("a mistake in writing is found and the right word suggested") {
  CHECK_THAT(refusal({"--pool-szie", "3"}), ContainsSubstring("did you mean \"--pool-size\"?"));
  CHECK_THAT(refusal({"--pool_size=3"}), ContainsSubstring("did you mean \"--pool-size\"?"));
  CHECK_THAT(refusal({"postgresql:///app"}), ContainsSubstring("unexpected argument"));
  CHECK_THAT(refusal({"--pool-size", "many"}), ContainsSubstring("whole number from 1 to 10000"));
  CHECK_THAT(refusal({"--pool-size", "0"}), ContainsSubstring("whole number from 1"));
  CHECK_THAT(refusal({"--pool-size", "-1"}), ContainsSubstring("--pool-size"));
  CHECK_THAT(refusal({"--session-reset", "maybe"}), ContainsSubstring("true or false"));
  CHECK_THAT(refusal({}, {{"QUERY_POOL_SIZE", "ten"}}),
             ContainsSubstring("QUERY_POOL_SIZE: must be a whole number"));
  const File file("pool_siez = 3\n");
  CHECK_THAT(refusal({"--config", file.path()}), ContainsSubstring("did you mean \"pool-size\"?"));
  const File wrong("pool-size = lots\n");
  CHECK_THAT(refusal({"--config", wrong.path()}), ContainsSubstring("pool-size: must be"));
  CHECK_THAT(refusal({"--config", "/nonexistent"}), ContainsSubstring("cannot be read"));
  const Config warned = good({}, {{"QUERY_POOL_SIZES", "3"}, {"QUERY_SERVER_SERVICE_HOST", "x"}});
  REQUIRE(warned.warnings.size() == 1);
  CHECK_THAT(warned.warnings[0], ContainsSubstring("QUERY_POOL_SIZES"));
}

TEST_CASE("beyond loopback the server starts only with --auth none") {
  for (const char* listen :
       {"0.0.0.0:8080", ":8080", "[::]:8080", "192.0.2.1:80", "no-such-name.invalid:80"}) {
    INFO(listen);
    CHECK_THAT(refusal({"--listen", listen}), ContainsSubstring("--auth none"));
    CHECK(good({"--listen", listen, "--auth", "none"}).auth == "none");
  }
  for (const char* listen : {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"}) {
    INFO(listen);
    CHECK(good({"--listen", listen}).address.port == 1);
  }
  CHECK_THAT(refusal({"--auth", "basic"}), ContainsSubstring("knows only \"none\""));
  for (const char* listen : {"8080", "127.0.0.1", "::1:80", "127.0.0.1:x", "127.0.0.1:70000"}) {
    INFO(listen);
    CHECK_THAT(refusal({"--listen", listen}), ContainsSubstring("HOST:PORT"));
  }
}

TEST_CASE("what names a database is followed in its order") {
  CHECK(good({"--database", "host=a"}, {{"DATABASE_URL", "host=b"}}).conninfo == "host=a");
  CHECK(good({}, {{"QUERY_DATABASE", "host=c"}, {"DATABASE_URL", "host=b"}}).conninfo == "host=c");
  CHECK(good({}, {{"DATABASE_URL", "host=b"}, {"PGHOST", "d"}}).conninfo == "host=b");
  const File file("  postgresql://u:p@h/d \n");
  CHECK(good({"--database-file", file.path()}).conninfo == "postgresql://u:p@h/d");
  const Config by_pg = good({}, {{"PGDATABASE", "d"}});
  CHECK_FALSE(by_pg.embedded);
  CHECK(by_pg.conninfo.empty());
  CHECK(good({}, {{"PGTZ", "UTC"}, {"DATABASE_URL", ""}}).embedded);
  CHECK_THAT(refusal({"--database", "x=y", "--database-file", file.path()}),
             ContainsSubstring("one must go"));
  CHECK_THAT(refusal({"--database-file", "/nonexistent"}), ContainsSubstring("cannot be read"));
}

TEST_CASE("origins are whole origins") {
  CHECK(good({"--allow-origin", "https://a", "--allow-origin", "http://b:1"}).allow_origins ==
        std::vector<std::string>{"https://a", "http://b:1"});
  CHECK(good({}, {{"QUERY_ALLOW_ORIGIN", "https://a http://b"}}).allow_origins.size() == 2);
  const File file("allow-origin = [\"https://a\", \"http://b\"]\n");
  CHECK(good({"--config", file.path()}).allow_origins.size() == 2);
  for (const char* origin : {"a.example", "https://", "https://a/", "https://a/path", "://a"}) {
    INFO(origin);
    CHECK_THAT(refusal({"--allow-origin", origin}), ContainsSubstring("--allow-origin must be"));
  }
}

TEST_CASE("no password is ever shown") {
  using query::server::redact;
  CHECK(redact("postgresql://u:secret@h:1/d") == "postgresql://u:****@h:1/d");
  CHECK(redact("postgresql://u:se/c@ret@h/d") == "postgresql://u:****@h/d");
  CHECK(redact("postgresql://u@h:5/d?password=secret&x=y") ==
        "postgresql://u@h:5/d?password=****&x=y");
  CHECK(redact("host=h password=secret user=u") == "host=h password=**** user=u");
  CHECK(redact("password = 'a \\' b' user=u") == "password = **** user=u");
  CHECK(redact("sslpassword=x host=h") == "sslpassword=**** host=h");
  CHECK(redact("host=h user=u") == "host=h user=u");
  CHECK(redact("postgresql://h/d") == "postgresql://h/d");
  const std::string shown =
      query::server::describe(good({"--database", "postgresql://u:secret@h/d"}));
  CHECK(shown.find("secret") == std::string::npos);
  CHECK_THAT(shown, ContainsSubstring("pool-size = 10"));
}

TEST_CASE("what --check-config prints is a config file that means the same") {
  const std::string shown = query::server::describe(good({"--pool-size=7", "--read-only"}));
  const File file(shown);
  CHECK(query::server::describe(good({"--config", file.path()})) == shown);
}

TEST_CASE("help names every setting") {
  const auto loaded = load_config({"--help"}, {});
  const Exit& exit = std::get<Exit>(loaded);
  CHECK(exit.code == 0);
  for (const auto& setting : query::server::settings()) {
    CHECK_THAT(exit.text, ContainsSubstring("--" + std::string(setting.name)));
  }
}
