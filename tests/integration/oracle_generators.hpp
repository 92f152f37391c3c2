#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>

#include "oracle_values.hpp"

namespace test {

/// Random texts of values, the same in every run.
class Generator {
 public:
  explicit Generator(std::uint32_t seed) : random_(seed) {}

  auto below(std::uint64_t limit) -> std::uint64_t { return random_() % limit; }

  /// Any bit pattern: all exponents alike, subnormal ones and NaN among them.
  auto float8() -> std::string {
    if (below(3) == 0) {  // decimals that people write
      return print("%.15g",
                   static_cast<double>(static_cast<std::int64_t>(below(2'000'000)) - 1'000'000) /
                       std::pow(10.0, static_cast<double>(below(12))));
    }
    const std::uint64_t bits = random_();
    double value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return print("%.17g", value);
  }

  auto float4() -> std::string {
    const auto bits = static_cast<std::uint32_t>(random_());
    float value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return print("%.9g", static_cast<double>(value));
  }

  auto numeric() -> std::string {
    const std::uint64_t longest = below(50) == 0 ? 2000 : 40;
    std::string text = below(2) == 0 ? "-" : "";
    text += digits(1 + below(longest));
    if (below(3) != 0) {
      text += "." + digits(1 + below(longest));
    }
    if (below(5) == 0) {
      text += "e" + std::to_string(static_cast<std::int64_t>(below(600)) - 300);
    }
    return text;
  }

  auto integer(int bits) -> std::string {
    const auto value = static_cast<std::int64_t>(random_()) >> (64 - bits);
    return std::to_string(below(2) == 0 ? value : value >> below(static_cast<std::uint64_t>(bits)));
  }

  auto date() -> std::string {
    static constexpr std::array<int, 12> kDays{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const auto kind = below(10);
    const int year = kind == 0   ? number(1, 4712)
                     : kind == 1 ? number(1, 294275)
                                 : number(1840, 2060);
    const int month = number(1, 12);
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%04d-%02d-%02d", year, month,
                  number(1, kDays.at(static_cast<std::size_t>(month) - 1)));
    era_ = kind == 0 ? " BC" : "";
    return text.data();
  }

  auto time() -> std::string {
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%02d:%02d:%02d", number(0, 23), number(0, 59),
                  number(0, 59));
    std::string time = text.data();
    if (below(2) == 0) {
      time += "." + digits(1 + below(6));
    }
    return time;
  }

  auto timestamp() -> std::string {
    const std::string day = date();
    return day + " " + time() + era_;
  }

  auto timestamptz() -> std::string {
    const std::string day = date();
    return day + " " + time() + zone() + era_;
  }

  auto day() -> std::string {
    const std::string text = date();
    return text + era_;
  }

  auto timetz() -> std::string { return time() + zone(); }

  auto interval() -> std::string {
    std::array<char, 128> text{};
    std::snprintf(text.data(), text.size(),
                  "%d years %d mons %d days %d hours %d secs %d microseconds", number(-50, 50),
                  number(-20, 20), number(-60, 60), number(-30, 30), number(-90, 90),
                  number(-1'500'000, 1'500'000));
    return text.data();
  }

  /// Valid UTF-8 with a liking for what must be escaped somewhere.
  auto text(std::size_t longest = 60) -> std::string {
    static constexpr std::string_view kSpecial = "\"\\{},;'\n\r\t\b\f\x01\x1f /[]:=NUL\x7f";
    std::string out;
    for (std::uint64_t i = below(longest + 1); i > 0; --i) {
      switch (below(4)) {
        case 0:
          out += kSpecial[below(kSpecial.size())];
          break;
        case 1:
          append_utf8(out, code_point());
          break;
        default:
          out += static_cast<char>('a' + below(26));
      }
    }
    return out;
  }

  /// An array literal of texts: NULLs, quotes, up to three dimensions, bounds now and then.
  auto text_array() -> std::string {
    const std::uint64_t dimensions = 1 + below(3);
    std::array<std::uint64_t, 3> sizes{};
    std::string bounds;
    for (std::uint64_t i = 0; i < dimensions; ++i) {
      sizes.at(i) = 1 + below(3);
      const int lower = number(-5, 5);
      bounds += "[" + std::to_string(lower) + ":" +
                std::to_string(lower + static_cast<int>(sizes.at(i)) - 1) + "]";
    }
    return (below(4) == 0 ? bounds + "=" : "") + array_level(sizes, 0, dimensions);
  }

  /// A JSON document. `spaced`: with white space where JSON allows it.
  auto document(bool spaced, int depth = 3) -> std::string {
    const auto space = [&] {
      static constexpr std::array<const char*, 5> kSpaces{"", " ", "\n", "\r\n  ", "\t"};
      return spaced ? std::string(kSpaces.at(below(kSpaces.size()))) : std::string();
    };
    switch (below(depth > 0 ? 8 : 6)) {
      case 0:
        return "null";
      case 1:
        return below(2) == 0 ? "true" : "false";
      case 2:
        return integer(60);
      case 3:
        return std::to_string(number(-99, 99)) + "." + digits(1 + below(20));
      case 4:
      case 5:
        return json_string();
      case 6: {
        std::string out = "[" + space();
        for (std::uint64_t i = below(4); i > 0; --i) {
          out += document(spaced, depth - 1) + space() + (i > 1 ? "," + space() : "");
        }
        return out + "]";
      }
      default: {
        std::string out = "{" + space();
        for (std::uint64_t i = below(4); i > 0; --i) {
          out += json_string() + space() + ":" + space() + document(spaced, depth - 1) + space() +
                 (i > 1 ? "," + space() : "");
        }
        return out + "}";
      }
    }
  }

  auto bytea() -> std::string {
    std::string out = "\\x";
    for (std::uint64_t i = below(40); i > 0; --i) {
      std::array<char, 3> hex{};
      std::snprintf(hex.data(), hex.size(), "%02x", static_cast<unsigned>(below(256)));
      out += hex.data();
    }
    return out;
  }

  auto inet() -> std::string {
    std::string out;
    for (int i = 0; i < 4; ++i) {
      out += (i > 0 ? "." : "") + std::to_string(below(256));
    }
    return out + (below(2) == 0 ? "/" + std::to_string(below(33)) : "");
  }

  auto numrange() -> std::string {
    const std::int64_t low = number(-1000, 1000);
    return std::string(below(2) == 0 ? "[" : "(") + std::to_string(low) + "." + digits(3) + "," +
           std::to_string(low + 1 + static_cast<std::int64_t>(below(50))) + "." + digits(5) +
           (below(2) == 0 ? "]" : ")");
  }

 private:
  auto number(int low, int high) -> int {
    return low + static_cast<int>(below(static_cast<std::uint64_t>(high - low) + 1));
  }

  static auto print(const char* format, double value) -> std::string {
    std::array<char, 64> text{};
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    std::snprintf(text.data(), text.size(), format, value);
#pragma GCC diagnostic pop
    return std::strstr(text.data(), "nan") != nullptr ? "NaN" : text.data();
  }

  auto digits(std::uint64_t count) -> std::string {
    std::string out;
    for (; count > 0; --count) {
      out += static_cast<char>('0' + below(10));
    }
    return out;
  }

  auto zone() -> std::string {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%c%02d:%02d", below(2) == 0 ? '+' : '-', number(0, 14),
                  number(0, 59));
    return text.data();
  }

  auto code_point() -> std::uint32_t {
    for (;;) {
      const auto code = static_cast<std::uint32_t>(below(3) == 0   ? below(0x800)
                                                   : below(2) == 0 ? below(0x10000)
                                                                   : below(0x110000));
      if (code != 0 && (code < 0xD800 || code > 0xDFFF)) {
        return code;
      }
    }
  }

  static void append_utf8(std::string& out, std::uint32_t code) {
    const auto byte = [&out](std::uint32_t value) { out += static_cast<char>(value); };
    if (code < 0x80) {
      byte(code);
    } else if (code < 0x800) {
      byte(0xC0 | (code >> 6));
      byte(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
      byte(0xE0 | (code >> 12));
      byte(0x80 | ((code >> 6) & 0x3F));
      byte(0x80 | (code & 0x3F));
    } else {
      byte(0xF0 | (code >> 18));
      byte(0x80 | ((code >> 12) & 0x3F));
      byte(0x80 | ((code >> 6) & 0x3F));
      byte(0x80 | (code & 0x3F));
    }
  }

  auto json_string() -> std::string {
    static constexpr std::array<const char*, 8> kEscapes{
        "\\n", "\\\"", "\\\\", "\\/", "\\u0041", "\\u00e4", "\\b", "\\ud83d\\udc18"};
    std::string out = "\"";
    for (std::uint64_t i = below(8); i > 0; --i) {
      if (below(3) == 0) {
        out += kEscapes.at(below(kEscapes.size()));
      } else {
        append_utf8(out, 'a' + static_cast<std::uint32_t>(below(26)) + (below(9) == 0 ? 0x400 : 0));
      }
    }
    return out + "\"";
  }

  auto array_level(const std::array<std::uint64_t, 3>& sizes, std::uint64_t level,
                   std::uint64_t dimensions) -> std::string {
    std::string out = "{";
    for (std::uint64_t i = 0; i < sizes.at(level); ++i) {
      out += i > 0 ? "," : "";
      if (level + 1 < dimensions) {
        out += array_level(sizes, level + 1, dimensions);
      } else if (below(5) == 0) {
        out += "NULL";
      } else {
        out += '"';
        for (const char c : text(12)) {
          out += c == '"' || c == '\\' ? std::string{'\\', c} : std::string{c};
        }
        out += '"';
      }
    }
    return out + "}";
  }

  std::mt19937_64 random_;
  std::string era_;
};

}  // namespace test
