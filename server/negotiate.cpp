#include "negotiate.hpp"

#include <array>
#include <charconv>
#include <cstddef>
#include <string>

namespace query::server {
namespace {

constexpr std::array<std::pair<std::string_view, Format>, 3> kFormats = {
    {{"application/json", Format::kJson},
     {"application/x-ndjson", Format::kNdjson},
     {"text/csv", Format::kCsv}}};

auto trim(std::string_view text) -> std::string_view {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

auto lower(std::string_view text) -> std::string {
  std::string out(text);
  for (char& c : out) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

/// What comes before `separator`; `rest` becomes what comes behind it.
auto split_off(std::string_view& rest, char separator) -> std::string_view {
  const auto at = rest.find(separator);
  const std::string_view part = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + 1);
  return trim(part);
}

/// The weight of a media range, in thousandths; one that cannot be read counts as full.
auto quality(std::string_view parameters) -> int {
  while (!parameters.empty()) {
    const std::string parameter = lower(split_off(parameters, ';'));
    if (!parameter.starts_with("q=")) {
      continue;
    }
    double q = 1;
    const auto [end, error] =
        std::from_chars(parameter.data() + 2, parameter.data() + parameter.size(), q);
    if (error == std::errc() && q >= 0 && q <= 1) {
      return static_cast<int>(q * 1000);
    }
  }
  return 1000;
}

/// How exactly a media range names a type: 2 in full, 1 by its first half, 0 by */*, -1 not.
auto specificity(std::string_view range, std::string_view type) -> int {
  if (range == type) {
    return 2;
  }
  if (range == "*/*" || range == "*") {
    return 0;
  }
  const auto half = type.substr(0, type.find('/') + 1);
  return range.size() == half.size() + 1 && range.starts_with(half) && range.back() == '*' ? 1 : -1;
}

struct Choice {
  int quality = 0;
  int specificity = -1;
  std::size_t place = 0;
};

}  // namespace

auto content_type(Format format) noexcept -> std::string_view {
  switch (format) {
    case Format::kJson:
      return "application/json";
    case Format::kNdjson:
      return "application/x-ndjson";
    case Format::kCsv:
      return "text/csv; charset=utf-8; header=present";
  }
  return {};
}

auto negotiate(std::string_view accept) -> std::optional<Format> {
  if (trim(accept).empty()) {
    return Format::kJson;
  }
  std::array<Choice, kFormats.size()> choices;  // per format, its most specific range
  std::size_t place = 0;
  while (!accept.empty()) {
    std::string_view parameters = split_off(accept, ',');
    const std::string range = lower(split_off(parameters, ';'));
    ++place;
    for (std::size_t i = 0; i < kFormats.size(); ++i) {
      const int exact = specificity(range, kFormats[i].first);
      if (exact > choices[i].specificity) {
        choices[i] = {quality(parameters), exact, place};
      }
    }
  }
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    const Choice& choice = choices[i];
    if (choice.quality == 0) {
      continue;
    }
    if (!best) {
      best = i;
      continue;
    }
    const Choice& other = choices[*best];
    if (choice.quality != other.quality           ? choice.quality > other.quality
        : choice.specificity != other.specificity ? choice.specificity > other.specificity
                                                  : choice.place < other.place) {
      best = i;
    }
  }
  return best ? std::optional(kFormats[*best].second) : std::nullopt;
}

}  // namespace query::server
