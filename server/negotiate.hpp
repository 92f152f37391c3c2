#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace query::server {

/// The shapes in which a result is offered.
enum class Format : std::uint8_t { kJson, kNdjson, kCsv };

inline constexpr std::string_view kOffered = "application/json, application/x-ndjson, text/csv";

[[nodiscard]] auto content_type(Format format) noexcept -> std::string_view;

/// The offered format that an Accept header (RFC 9110, 12.5.1) likes best; an empty one means
/// JSON. Among equals the more specific, then the first named wins. Nothing where none is wanted.
[[nodiscard]] auto negotiate(std::string_view accept) -> std::optional<Format>;

}  // namespace query::server
