#pragma once

#include "config.hpp"

namespace query::server {

/// Asks a running server's /livez; nothing when it answers 200, else what went wrong.
[[nodiscard]] auto healthcheck(const Address& address) -> std::optional<std::string>;

}  // namespace query::server
