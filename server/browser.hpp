#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace query::server {

/// What a web page may do. A browser runs any site's scripts beside the user's own network, so
/// that a server on localhost is in reach of every page: without these rules a page could post
/// SQL to it. Programs that are no browsers send no Origin and are not affected.
class BrowserPolicy {
 public:
  struct Options {
    std::vector<std::string> allow_origins;  ///< "*" for all
    /// Refuse requests whose Host header names neither this machine nor an allowed origin: a
    /// page may bind its own name to 127.0.0.1 and then passes for the same origin.
    bool only_local_hosts = false;
    std::string listen_host;  ///< a name that is always allowed
  };

  explicit BrowserPolicy(Options options);

  [[nodiscard]] auto allows_origin(std::string_view origin) const -> bool;

  /// `host` is the Host header, port included; one that is absent is no browser's.
  [[nodiscard]] auto allows_host(std::optional<std::string_view> host) const -> bool;

 private:
  Options options_;
  std::vector<std::string> hosts_;  // beside the ones that are always local
};

}  // namespace query::server
