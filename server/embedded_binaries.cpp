#include "embedded_binaries.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <system_error>

namespace query::server {
namespace {

namespace fs = std::filesystem;

/// The first number of `postgres (PostgreSQL) 15.20 (Debian …)`; 0 where there is none.
auto major_of(const std::string& text) -> int {
  const auto bracket = text.find(')');
  const auto digit = text.find_first_of("0123456789", bracket == std::string::npos ? 0 : bracket);
  return digit == std::string::npos ? 0 : std::atoi(text.c_str() + digit);
}

void add(std::vector<PostgresBinaries>& found, const fs::path& directory, const Pause& pause) {
  std::error_code error;
  const fs::path real = fs::canonical(directory, error);
  if (error || ::access((real / "initdb").c_str(), X_OK) != 0 ||
      ::access((real / "postgres").c_str(), X_OK) != 0 ||
      std::any_of(found.begin(), found.end(),
                  [&](const PostgresBinaries& one) { return one.directory == real; })) {
    return;
  }
  try {
    const auto version = run_for_output({(real / "postgres").string(), "--version"}, pause);
    if (const int major = version ? major_of(*version) : 0; major > 0) {
      found.push_back({real, major});
    }
  } catch (const std::system_error&) {
    // Not for this machine: as if it were not there.
  }
}

void add_path(std::vector<PostgresBinaries>& found, const Pause& pause) {
  const char* path = std::getenv("PATH");
  std::istringstream directories(path == nullptr ? "" : path);
  for (std::string one; std::getline(directories, one, ':');) {
    if (!one.empty()) {
      add(found, one, pause);
    }
  }
}

/// The bin folders of every version under a place like /usr/lib/postgresql/15/bin.
void add_versions(std::vector<PostgresBinaries>& found, const fs::path& place, const Pause& pause) {
  std::vector<PostgresBinaries> here;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(place, error)) {
    add(here, entry.path() / "bin", pause);
  }
  std::sort(here.begin(), here.end(),
            [](const PostgresBinaries& a, const PostgresBinaries& b) { return a.major > b.major; });
  found.insert(found.end(), here.begin(), here.end());
}

}  // namespace

auto find_postgres(const std::string& directory, const Pause& pause)
    -> std::vector<PostgresBinaries> {
  std::vector<PostgresBinaries> found;
  if (!directory.empty()) {
    add(found, directory, pause);
    return found;
  }
  add_path(found, pause);
  add_versions(found, "/usr/lib/postgresql", pause);
  add(found, "/usr/local/pgsql/bin", pause);
  return found;
}

}  // namespace query::server
