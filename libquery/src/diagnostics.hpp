#pragma once

#include <string>
#include <string_view>

#include <query/error.hpp>

#include "libpq.hpp"

namespace query::detail {

/// Every field of an error that libpq has.
[[nodiscard]] auto diagnostics_of(const PGresult* result) -> Diagnostics;

/// Whether an error with this severity and SQLSTATE ends the connection, even though libpq may
/// not have noticed yet: FATAL and PANIC do, an ERROR never does, and below it (the notice of a
/// server that goes down) class 08, 57P01…57P05, 25P03 and 25P04 do.
[[nodiscard]] auto ends_connection(const Diagnostics& diagnostics) noexcept -> bool;

/// Whether a prepared statement of ours was dropped by the user or outdated by DDL. Nothing ran.
[[nodiscard]] auto is_lost_plan(const Diagnostics& diagnostics) noexcept -> bool;

/// libpq's message without its line ends; never empty.
[[nodiscard]] auto message_of(const PGconn* connection) -> std::string;

/// The SQLSTATE of a failed connection attempt, of which libpq gives only the text: read from the
/// wording of the server's (untranslated) messages; empty where it is none of the well-known ones.
[[nodiscard]] auto sqlstate_of_connect_failure(std::string_view message) noexcept
    -> std::string_view;

}  // namespace query::detail
