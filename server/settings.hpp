#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config.hpp"

namespace query::server {

/// One setting: the flag, the variable, the line of the config file and the line of --help are
/// all made from this.
struct Setting {
  using Member = std::variant<std::string Config::*, std::vector<std::string> Config::*,
                              std::uint64_t Config::*, bool Config::*>;
  std::string_view group;
  std::string_view name;   ///< without the dashes
  std::string_view value;  ///< what stands for the value in --help; empty for a switch
  std::string_view help;
  Member member;
  std::uint64_t least = 0;  ///< for a number
  std::uint64_t most = 0;
};

[[nodiscard]] auto settings() -> std::span<const Setting>;

/// QUERY_POOL_SIZE for pool-size.
[[nodiscard]] auto variable_name(const Setting& setting) -> std::string;

/// The value as a config file would have it: "text", 10, true, ["a", "b"].
[[nodiscard]] auto printed(const Config& config, const Setting& setting) -> std::string;

}  // namespace query::server
