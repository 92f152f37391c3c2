#include "browser.hpp"

#include <algorithm>
#include <utility>

namespace query::server {
namespace {

auto lower(std::string_view text) -> std::string {
  std::string out(text);
  for (char& c : out) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

/// The host of `host:port` or `[::1]:port`, in lower case, brackets and a last dot removed.
auto host_of(std::string_view authority) -> std::string {
  if (authority.starts_with('[')) {
    return lower(authority.substr(1, authority.find(']') - 1));
  }
  std::string host = lower(authority.substr(0, authority.find(':')));
  if (host.ends_with('.')) {
    host.pop_back();
  }
  return host;
}

auto is_local(const std::string& host) -> bool {
  if (host == "localhost" || host.ends_with(".localhost") || host == "::1") {
    return true;
  }
  // 127.0.0.0/8, and only as numbers: 127.example.org is a name like any other.
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos;
}

}  // namespace

BrowserPolicy::BrowserPolicy(Options options) : options_(std::move(options)) {
  hosts_.push_back(lower(options_.listen_host));
  for (std::string& origin : options_.allow_origins) {
    origin = lower(origin);
    if (const auto scheme = origin.find("://"); scheme != std::string::npos) {
      hosts_.push_back(host_of(std::string_view(origin).substr(scheme + 3)));
    }
  }
}

auto BrowserPolicy::allows_origin(std::string_view origin) const -> bool {
  const std::string wanted = lower(origin);
  return std::any_of(options_.allow_origins.begin(), options_.allow_origins.end(),
                     [&](const std::string& one) { return one == "*" || one == wanted; });
}

auto BrowserPolicy::allows_host(std::optional<std::string_view> host) const -> bool {
  if (!options_.only_local_hosts || !host) {
    return true;
  }
  const std::string name = host_of(*host);
  return is_local(name) || std::find(hosts_.begin(), hosts_.end(), name) != hosts_.end();
}

}  // namespace query::server
