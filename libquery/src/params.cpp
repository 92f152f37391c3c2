#include <query/params.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <stdexcept>

namespace query {

auto Params::add(std::nullptr_t) -> Params& {
  values_.push_back({Kind::kNull, {}});
  return *this;
}

auto Params::add(double value) -> Params& {
  if (std::isnan(value)) {
    return add_text("NaN");
  }
  if (std::isinf(value)) {
    return add_text(value > 0 ? "Infinity" : "-Infinity");
  }
  std::array<char, 32> text{};
  const auto* const end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return add_text({text.data(), static_cast<std::size_t>(end - text.data())});
}

auto Params::add(std::span<const std::byte> bytes) -> Params& {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex = "\\x";
  hex.reserve(2 + bytes.size() * 2);
  for (const std::byte byte : bytes) {
    hex.push_back(kDigits[std::to_integer<std::size_t>(byte >> 4)]);
    hex.push_back(kDigits[std::to_integer<std::size_t>(byte & std::byte{15})]);
  }
  values_.push_back({Kind::kText, std::move(hex)});
  return *this;
}

auto Params::add_json(std::string_view json) -> Params& {
  add_text(json);
  values_.back().kind = Kind::kJson;
  return *this;
}

auto Params::add_text(std::string_view text) -> Params& {
  if (text.find('\0') != std::string_view::npos) {
    throw std::invalid_argument("parameter $" + std::to_string(values_.size() + 1) +
                                " contains U+0000, which a PostgreSQL text cannot hold; send "
                                "binary data as bytea");
  }
  values_.push_back({Kind::kText, std::string(text)});
  return *this;
}

auto Params::add_array(const Params& elements) -> Params& {
  // PostgreSQL manual, "Array Input and Output Syntax": quoting every element is always right.
  std::string literal = "{";
  for (const Value& element : elements.values_) {
    if (literal.size() > 1) {
      literal.push_back(',');
    }
    if (element.kind == Kind::kNull) {
      literal += "NULL";
      continue;
    }
    literal.push_back('"');
    for (const char c : element.text) {
      if (c == '"' || c == '\\') {
        literal.push_back('\\');
      }
      literal.push_back(c);
    }
    literal.push_back('"');
  }
  literal.push_back('}');
  values_.push_back({Kind::kText, std::move(literal)});
  return *this;
}

}  // namespace query
