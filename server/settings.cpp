#include "settings.hpp"

#include <array>
#include <limits>

#include "json_text.hpp"

namespace query::server {
namespace {

constexpr std::uint64_t kDay = 86'400'000;  // in milliseconds
constexpr std::uint64_t kAny = std::numeric_limits<std::int64_t>::max();
constexpr std::string_view kDatabase = "Database";
constexpr std::string_view kPool = "Connections to the database";
constexpr std::string_view kRequests = "Requests";
constexpr std::string_view kClients = "Clients";
constexpr std::string_view kHttp = "Listening and access";
constexpr std::string_view kEmbedded = "Embedded PostgreSQL (where no database is named)";

constexpr std::array kSettings = {
    Setting{kHttp, "listen", "HOST:PORT", "Where to answer; port 0 takes a free one.",
            &Config::listen},
    Setting{kHttp, "auth", "none",
            "\"none\": anybody who can connect may run SQL. Needed to listen beyond loopback.",
            &Config::auth},
    Setting{kHttp, "allow-origin", "ORIGIN",
            "A web site whose pages may send requests, like https://app.example.org; may be "
            "repeated; * is every site.",
            &Config::allow_origins},

    Setting{kDatabase, "database", "URL",
            "PostgreSQL connection string or URL. Without it DATABASE_URL counts, then PGHOST, "
            "PGDATABASE and their kin; without those too an embedded PostgreSQL is started.",
            &Config::database},
    Setting{kDatabase, "database-file", "FILE", "A file that holds that string, for secrets.",
            &Config::database_file},

    Setting{kPool, "pool-size", "N", "Connections at most.", &Config::pool_size, 1, 10000},
    Setting{kPool, "pool-queue", "N", "Requests that may wait for one; one more is refused (503).",
            &Config::pool_queue, 0, 1'000'000},
    Setting{kPool, "pool-wait-ms", "MS", "How long they wait before they are refused (503).",
            &Config::pool_wait_ms, 0, kDay},
    Setting{kPool, "statement-cache", "N",
            "Prepared statements kept by each connection; 0 where a pooler cannot keep them.",
            &Config::statement_cache, 0, 100'000},
    Setting{kPool, "session-reset", "true|false",
            "Clean the session between requests; false only behind a pooler that does it.",
            &Config::session_reset},

    Setting{kRequests, "timeout-ms", "MS", "A request's time, from arrival to last byte.",
            &Config::timeout_ms, 1, kDay},
    Setting{kRequests, "max-timeout-ms", "MS", "The most that a request may ask for.",
            &Config::max_timeout_ms, 1, kDay},
    Setting{kRequests, "max-body-bytes", "BYTES", "Larger bodies are refused (413).",
            &Config::max_body_bytes, 1, std::uint64_t{1} << 30U},
    Setting{kRequests, "max-rows", "N", "Cut results after this many rows; 0: never.",
            &Config::max_rows, 0, kAny},
    Setting{kRequests, "read-only", "", "Run everything in READ ONLY transactions.",
            &Config::read_only},

    Setting{kClients, "workers", "N",
            "Threads that serve many clients each; 0: one for each core, and for each two "
            "connections to the database.",
            &Config::workers, 0, 1024},
    Setting{kClients, "max-connections", "N", "HTTP connections; one more is refused (503).",
            &Config::max_connections, 1, 100'000},
    Setting{kClients, "idle-timeout-ms", "MS", "Close a connection without requests after this.",
            &Config::idle_timeout_ms, 1, kDay},
    Setting{kClients, "read-timeout-ms", "MS", "A request must have arrived whole in this time.",
            &Config::read_timeout_ms, 1, kDay},
    Setting{kClients, "write-timeout-ms", "MS",
            "Give up on a client that takes nothing for this long.", &Config::write_timeout_ms, 1,
            kDay},
    Setting{kClients, "drain-delay-ms", "MS",
            "After SIGTERM: serve on for this long while /readyz says 503.",
            &Config::drain_delay_ms, 0, kDay},
    Setting{kClients, "drain-timeout-ms", "MS",
            "Then: let running requests end for this long, and cancel the rest.",
            &Config::drain_timeout_ms, 0, kDay},

    Setting{kEmbedded, "postgres-bin", "DIR",
            "Where initdb and postgres are. Default: PATH, then the newest of "
            "/usr/lib/postgresql.",
            &Config::postgres_bin},
    Setting{kEmbedded, "data-dir", "DIR",
            "Where its data is kept. Default: query-server in $XDG_STATE_HOME or ~/.local/state; "
            "for root /var/lib/query-server.",
            &Config::data_dir},
};

/// Breaks a text into lines of at most `width` bytes.
auto wrap(std::string_view text, std::size_t width) -> std::vector<std::string_view> {
  std::vector<std::string_view> lines;
  while (text.size() > width) {
    const auto space = text.rfind(' ', width);
    lines.push_back(text.substr(0, space));
    text.remove_prefix(space + 1);
  }
  lines.push_back(text);
  return lines;
}

constexpr std::size_t kColumn = 32;
constexpr std::size_t kWidth = 96;

void add_entry(std::string& out, std::string flag, std::string_view help) {
  flag.insert(0, "  ");
  if (flag.size() + 1 >= kColumn) {
    out += flag + "\n";
    flag.clear();
  }
  for (const std::string_view line : wrap(help, kWidth - kColumn)) {
    out += flag + std::string(kColumn - flag.size(), ' ') + std::string(line) + "\n";
    flag.clear();
  }
}

}  // namespace

auto settings() -> std::span<const Setting> { return kSettings; }

auto variable_name(const Setting& setting) -> std::string {
  std::string name = "QUERY_";
  for (const char c : setting.name) {
    name += c == '-' ? '_' : static_cast<char>(c - 'a' + 'A');
  }
  return name;
}

auto printed(const Config& config, const Setting& setting) -> std::string {
  struct Printer {
    const Config& config;
    auto operator()(std::string Config::*member) const -> std::string {
      std::string out;
      append_json_string(out, config.*member);
      return out;
    }
    auto operator()(std::vector<std::string> Config::*member) const -> std::string {
      std::string out = "[";
      for (const std::string& one : config.*member) {
        out += out.size() > 1 ? ", " : "";
        append_json_string(out, one);
      }
      return out + "]";
    }
    auto operator()(std::uint64_t Config::*member) const -> std::string {
      return std::to_string(config.*member);
    }
    auto operator()(bool Config::*member) const -> std::string {
      return config.*member ? "true" : "false";
    }
  };
  return std::visit(Printer{config}, setting.member);
}

auto help_text() -> std::string {
  const Config defaults;
  std::string out =
      "query-server: POST SQL, get JSON.\n"
      "\n"
      "Usage: query-server [FLAGS]\n"
      "\n"
      "  query-server                          # with a private PostgreSQL of its own\n"
      "  query-server --database postgresql://app@db.example.org/app\n"
      "  curl localhost:8080/query -d 'select 1 as one'\n"
      "\n"
      "Every --some-flag is also the variable QUERY_SOME_FLAG and a line `some-flag = …` of the\n"
      "config file. The command line counts before the environment, that before the file.\n";
  std::string_view group;
  for (const Setting& setting : kSettings) {
    if (setting.group != group) {
      group = setting.group;
      out += "\n" + std::string(group) + ":\n";
    }
    std::string flag = "--" + std::string(setting.name);
    if (!setting.value.empty()) {
      flag += " " + std::string(setting.value);
    }
    std::string help(setting.help);
    const std::string value = printed(defaults, setting);
    const bool unset = value == "\"\"" || value == "[]" || setting.value.empty();
    add_entry(out, flag,
              unset ? help
                    : help + " [" +
                          (value.front() == '"' ? value.substr(1, value.size() - 2) : value) + "]");
  }
  out += "\nThe program itself:\n";
  add_entry(out, "--config FILE", "Read settings from this file (TOML: pool-size = 20).");
  add_entry(out, "--check-config", "Print the settings as they would be used, and end.");
  add_entry(out, "--healthcheck",
            "Ask a running server's /livez at --listen; exit 0 if it answers.");
  add_entry(out, "--version", "Print the version, and end.");
  add_entry(out, "--help", "Print this, and end.");
  return out;
}

}  // namespace query::server
