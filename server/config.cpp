#include "config.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <query/version.hpp>
#include <sstream>
#include <stdexcept>

#include "settings.hpp"
#include "suggest.hpp"

namespace query::server {
namespace {

/// What is wrong with the configuration, in words for a person.
class ConfigError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

auto number_check(const Setting& setting) -> CLI::Validator {
  return {[&setting](std::string& text) -> std::string {
            std::uint64_t number = 0;
            const char* last = text.data() + text.size();
            const auto [end, error] = std::from_chars(text.data(), last, number);
            if (error == std::errc() && end == last && number >= setting.least &&
                number <= setting.most) {
              return {};
            }
            return "must be a whole number from " + std::to_string(setting.least) + " to " +
                   std::to_string(setting.most) + ", not \"" + text + "\"";
          },
          ""};
}

auto bool_check() -> CLI::Validator {
  return {[](std::string& text) -> std::string {
            return text == "true" || text == "false"
                       ? ""
                       : "must be true or false, not \"" + text + "\"";
          },
          ""};
}

/// The command line as CLI11 knows it, and which option is which setting.
class CommandLine {
 public:
  explicit CommandLine(Config& config) {
    app_.set_help_flag();  // ours reads better
    for (const Setting& setting : settings()) {
      options_.push_back(add(config, setting));
    }
    app_.add_option("--config", config_file_)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    app_.add_flag("--check-config", config.check_config);
    app_.add_flag("--healthcheck", config.healthcheck);
    app_.add_flag("--version", version_);
    app_.add_flag("--help,-h", help_);
  }

  void parse(std::vector<std::string> arguments) {
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants a vector
    try {
      app_.parse(arguments);
    } catch (const CLI::ExtrasError&) {
      throw ConfigError(unknown_argument());
    } catch (const CLI::ParseError& error) {
      throw ConfigError(error.what());
    }
  }

  /// Where the command line left a setting alone, the environment counts, then the file.
  void fill(const Environment& environment) {
    if (config_file_.empty()) {
      if (const auto variable = environment.find("QUERY_CONFIG"); variable != environment.end()) {
        config_file_ = variable->second;
      }
    }
    for (std::size_t i = 0; i < options_.size(); ++i) {
      const std::string name = variable_name(settings()[i]);
      const auto variable = environment.find(name);
      if (options_[i]->count() == 0 && variable != environment.end() && !variable->second.empty()) {
        const bool list =
            std::holds_alternative<std::vector<std::string> Config::*>(settings()[i].member);
        set(*options_[i], name, list ? words(variable->second) : std::vector{variable->second});
      }
    }
    if (!config_file_.empty()) {
      fill_from_file();
    }
  }

  [[nodiscard]] auto help() const -> bool { return help_; }
  [[nodiscard]] auto version() const -> bool { return version_; }

 private:
  auto add(Config& config, const Setting& setting) -> CLI::Option* {
    const std::string name = "--" + std::string(setting.name);
    if (const auto* text = std::get_if<std::string Config::*>(&setting.member)) {
      return app_.add_option(name, config.**text)
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
    if (const auto* list = std::get_if<std::vector<std::string> Config::*>(&setting.member)) {
      return app_.add_option(name, config.**list)->allow_extra_args(false);
    }
    if (const auto* number = std::get_if<std::uint64_t Config::*>(&setting.member)) {
      return app_.add_option(name, config.**number)
          ->check(number_check(setting))
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
    bool& truth = config.*std::get<bool Config::*>(setting.member);
    CLI::Option* option =
        setting.value.empty() ? app_.add_flag(name, truth) : app_.add_option(name, truth);
    return option->check(bool_check())->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }

  /// The parts of a list in a variable: separated by spaces or commas.
  static auto words(std::string text) -> std::vector<std::string> {
    std::replace(text.begin(), text.end(), ',', ' ');
    std::istringstream stream(text);
    std::vector<std::string> out;
    for (std::string word; stream >> word;) {
      out.push_back(word);
    }
    return out;
  }

  static void set(CLI::Option& option, const std::string& source,
                  const std::vector<std::string>& values) {
    try {
      for (const std::string& value : values) {
        option.add_result(value);
      }
      option.run_callback();
    } catch (const CLI::ParseError& error) {
      const std::string what = error.what();
      const auto colon = what.find(": ");
      throw ConfigError(source + ": " +
                        (colon == std::string::npos ? what : what.substr(colon + 2)));
    }
  }

  void fill_from_file() {
    std::ifstream file(config_file_);
    if (!file) {
      throw ConfigError("the config file " + config_file_ + " cannot be read");
    }
    std::vector<CLI::ConfigItem> items;
    try {
      items = CLI::ConfigTOML().from_config(file);
    } catch (const CLI::Error& error) {
      throw ConfigError(config_file_ + ": " + error.what());
    }
    for (const CLI::ConfigItem& item : items) {
      if (item.name == "++" || item.name == "--") {
        throw ConfigError(config_file_ + ": sections in brackets have no meaning here");
      }
      const std::string key = item.fullname();
      const auto all = settings();
      const auto found = std::find_if(all.begin(), all.end(),
                                      [&](const Setting& setting) { return setting.name == key; });
      if (found == all.end()) {
        throw ConfigError(config_file_ + ": unknown key \"" + key + "\"" +
                          did_you_mean(key, names("")));
      }
      CLI::Option& option = *options_[static_cast<std::size_t>(found - all.begin())];
      if (option.count() == 0) {
        set(option, config_file_ + ": " + key, item.inputs);
      }
    }
  }

  static auto names(const std::string& prefix) -> std::vector<std::string_view> {
    static std::vector<std::string> flags = [] {
      std::vector<std::string> out;
      out.reserve(settings().size());
      for (const Setting& setting : settings()) {
        out.push_back("--" + std::string(setting.name));
      }
      out.insert(out.end(), {"--config", "--check-config", "--healthcheck", "--version", "--help"});
      return out;
    }();
    std::vector<std::string_view> out;
    out.reserve(flags.size());
    for (const std::string_view flag : flags) {
      out.push_back(prefix.empty() ? flag.substr(2) : flag);
    }
    return out;
  }

  [[nodiscard]] auto unknown_argument() const -> std::string {
    const std::vector<std::string> rest = app_.remaining();
    const std::string word = rest.empty() ? std::string() : rest.front();
    if (!word.starts_with("-")) {
      return "unexpected argument \"" + word + "\"; every setting is a flag";
    }
    const std::string flag = word.substr(0, word.find('='));
    return "unknown flag " + flag + did_you_mean(flag, names("--"));
  }

  CLI::App app_;
  std::vector<CLI::Option*> options_;  // in the order of settings()
  std::string config_file_;
  bool help_ = false;
  bool version_ = false;
};

auto variable(const Environment& environment, const std::string& name) -> std::string {
  const auto found = environment.find(name);
  return found == environment.end() ? std::string() : found->second;
}

void warn_of_mistyped_variables(const Environment& environment, Config& config) {
  std::vector<std::string> known = {"QUERY_CONFIG"};
  for (const Setting& setting : settings()) {
    known.push_back(variable_name(setting));
  }
  const std::vector<std::string_view> views(known.begin(), known.end());
  for (const auto& [name, value] : environment) {
    if (!name.starts_with("QUERY_") || std::find(known.begin(), known.end(), name) != known.end()) {
      continue;
    }
    // Others may have variables of that beginning (Kubernetes does), so this is no error.
    if (const auto near = nearest(name, views); !near.empty()) {
      config.warnings.push_back("the variable " + name + " is unknown and ignored; did you mean " +
                                std::string(near) + "?");
    }
  }
}

auto read_secret(const std::string& path) -> std::string {
  std::ifstream file(path);
  std::stringstream content;
  if (!file || !(content << file.rdbuf())) {
    throw ConfigError("the database file " + path + " cannot be read, or is empty");
  }
  std::string text = content.str();
  text.erase(text.find_last_not_of(" \t\r\n") + 1);
  text.erase(0, text.find_first_not_of(" \t\r\n"));
  if (text.empty()) {
    throw ConfigError("the database file " + path + " is empty");
  }
  return text;
}

void choose_database(const Environment& environment, Config& config) {
  if (!config.database.empty() && !config.database_file.empty()) {
    throw ConfigError("both --database and --database-file are set; one must go");
  }
  if (!config.database.empty()) {
    config.conninfo = config.database;
    config.database_source = "--database or QUERY_DATABASE";
  } else if (!config.database_file.empty()) {
    config.conninfo = read_secret(config.database_file);
    config.database_source = "the file " + config.database_file;
  } else if (const std::string url = variable(environment, "DATABASE_URL"); !url.empty()) {
    config.conninfo = url;
    config.database_source = "DATABASE_URL";
  } else {
    config.embedded = true;
    config.database_source = "none named: an embedded PostgreSQL";
    for (const char* name :
         {"PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE"}) {
      if (!variable(environment, name).empty()) {
        config.embedded = false;
        config.database_source = "the PG* variables, of which " + std::string(name) + " is set";
        break;
      }
    }
  }
  if (!config.embedded && (!config.postgres_bin.empty() || !config.data_dir.empty())) {
    config.warnings.emplace_back(
        "--postgres-bin and --data-dir are for the embedded PostgreSQL and have no effect with "
        "a database named");
  }
}

void check_access(Config& config) {
  const auto address = parse_address(config.listen);
  if (!address) {
    throw ConfigError(
        "--listen must be HOST:PORT, like 127.0.0.1:8080, [::1]:8080 or :8080, not \"" +
        config.listen + "\"");
  }
  config.address = *address;
  if (!config.auth.empty() && config.auth != "none") {
    throw ConfigError(R"(--auth knows only "none", not ")" + config.auth + "\"");
  }
  if (config.auth.empty() && !config.address.loopback()) {
    throw ConfigError(
        "refusing to listen on " + config.listen +
        ": other machines could reach it, and whoever reaches it may run SQL. Keep to 127.0.0.1, "
        "or say --auth none if something in front of it decides who may come in");
  }
  for (const std::string& origin : config.allow_origins) {
    const auto scheme = origin.find("://");
    const bool whole = scheme != std::string::npos && scheme > 0 && origin.size() > scheme + 3 &&
                       origin.find_first_of("/?#@ ,", scheme + 3) == std::string::npos;
    if (origin != "*" && !whole) {
      throw ConfigError("--allow-origin must be like https://app.example.org, or *, not \"" +
                        origin + "\"");
    }
  }
}

void check_limits(const Config& config) {
  if (config.timeout_ms > config.max_timeout_ms) {
    throw ConfigError("--timeout-ms (" + std::to_string(config.timeout_ms) +
                      ") is above --max-timeout-ms (" + std::to_string(config.max_timeout_ms) +
                      ")");
  }
}

}  // namespace

auto load_config(std::vector<std::string> arguments, const Environment& environment)
    -> std::variant<Config, Exit> {
  try {
    Config config;
    CommandLine command_line(config);
    command_line.parse(std::move(arguments));
    if (command_line.help()) {
      return Exit{0, help_text()};
    }
    if (command_line.version()) {
      return Exit{0, "query-server " + std::string(kVersion) + "\n"};
    }
    command_line.fill(environment);
    warn_of_mistyped_variables(environment, config);
    check_access(config);
    check_limits(config);
    if (!config.healthcheck) {
      choose_database(environment, config);
    }
    return config;
  } catch (const ConfigError& error) {
    return Exit{2, "query-server: " + std::string(error.what()) +
                       "\nquery-server --help lists all flags.\n"};
  }
}

auto describe(const Config& config) -> std::string {
  Config shown = config;
  shown.database = redact(config.database);
  std::string out = "# database: " + config.database_source + "\n";
  if (!config.conninfo.empty() && config.database.empty()) {
    out += "# " + redact(config.conninfo) + "\n";
  }
  for (const Setting& setting : settings()) {
    const std::string value = printed(shown, setting);
    const bool unset = value == "\"\"" || value == "[]";
    out += (unset ? "# " : "") + std::string(setting.name) + " = " + value + "\n";
  }
  return out;
}

}  // namespace query::server
