#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "child.hpp"

namespace query::server {

/// An installed PostgreSQL server.
struct PostgresBinaries {
  std::filesystem::path directory;  ///< holds initdb and postgres
  int major = 0;                    ///< 15 for 15.20
};

/// All that can be found, the best first: `directory` alone where it is given, else PATH, then
/// the usual places from the newest to the oldest.
[[nodiscard]] auto find_postgres(const std::string& directory, const Pause& pause)
    -> std::vector<PostgresBinaries>;

}  // namespace query::server
