#include "suggest.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace query::server {
namespace {

auto lower(char c) -> char { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Case and the choice between - and _ are no difference.
auto same(char a, char b) -> bool {
  const auto plain = [](char c) { return c == '-' ? '_' : lower(c); };
  return plain(a) == plain(b);
}

/// How many letters must be inserted, dropped, replaced or swapped with their neighbour.
auto distance(std::string_view a, std::string_view b) -> std::size_t {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) {
    last[j] = j;
  }
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool equal = same(a[i - 1], b[j - 1]);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (equal ? 0 : 1)});
      if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1])) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
    before_last = last;
    last = row;
  }
  return last[b.size()];
}

}  // namespace

auto nearest(std::string_view word, std::span<const std::string_view> known) -> std::string_view {
  constexpr std::size_t kLongestWord = 64;  // a longer one is no typing error
  std::string_view best;
  if (word.size() > kLongestWord) {
    return best;
  }
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string_view candidate : known) {
    const std::size_t d = distance(word, candidate);
    if (d < best_distance) {
      best = candidate;
      best_distance = d;
    }
  }
  if (best.empty() && word.size() >= 4) {  // a word that was not written to its end
    for (const std::string_view candidate : known) {
      if (candidate.size() > word.size() &&
          std::equal(word.begin(), word.end(), candidate.begin(), same)) {
        return candidate;
      }
    }
  }
  return best;
}

auto did_you_mean(std::string_view word, std::span<const std::string_view> known) -> std::string {
  const std::string_view near = nearest(word, known);
  return near.empty() ? std::string() : " (did you mean \"" + std::string(near) + "\"?)";
}

}  // namespace query::server
