#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace query::detail {

/// A command tag taken apart: `SELECT 5`, `INSERT 0 3`, `CREATE TABLE`.
struct CommandTag {
  std::string command;
  std::optional<std::uint64_t> affected;

  /// `count` as libpq's PQcmdTuples() gives it.
  CommandTag(std::string_view tag, std::string_view count)
      : command(tag.substr(0, tag.find_first_of("0123456789"))) {
    while (!command.empty() && command.back() == ' ') {
      command.pop_back();
    }
    std::uint64_t number = 0;
    if (!count.empty() &&
        std::from_chars(count.data(), count.data() + count.size(), number).ec == std::errc{}) {
      affected = number;
    }
  }
};

}  // namespace query::detail
