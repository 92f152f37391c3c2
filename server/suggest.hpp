#pragma once

#include <span>
#include <string>
#include <string_view>

namespace query::server {

/// The one of `known` that `word` was probably meant to be; empty where none is near.
[[nodiscard]] auto nearest(std::string_view word, std::span<const std::string_view> known)
    -> std::string_view;

/// ` (did you mean "…"?)`, or nothing where no known word is near.
[[nodiscard]] auto did_you_mean(std::string_view word, std::span<const std::string_view> known)
    -> std::string;

}  // namespace query::server
