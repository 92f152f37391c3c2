#include <query/params.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "catch.hpp"

using query::Params;
using Kind = query::Params::Kind;

namespace {

auto text_of(const Params& params, std::size_t index = 0) -> std::string {
  REQUIRE(params.size() > index);
  REQUIRE(params[index].kind == Kind::kText);
  return params[index].text;
}

}  // namespace

TEST_CASE("plain values become PostgreSQL's text for them", "[params]") {
  const auto params = Params::of(7, "text", nullptr, 1.5, true, false, std::string("owned"),
                                 std::string_view("viewed"));
  REQUIRE(params.size() == 8);
  CHECK_FALSE(params.empty());
  CHECK(text_of(params, 0) == "7");
  CHECK(text_of(params, 1) == "text");
  CHECK(params[2].kind == Kind::kNull);
  CHECK(text_of(params, 3) == "1.5");
  CHECK(text_of(params, 4) == "true");
  CHECK(text_of(params, 5) == "false");
  CHECK(text_of(params, 6) == "owned");
  CHECK(text_of(params, 7) == "viewed");
}

TEST_CASE("no values is no values", "[params]") {
  CHECK(Params::of().empty());
  CHECK(Params().size() == 0);
}

TEST_CASE("integers of every width keep their value", "[params]") {
  CHECK(text_of(Params::of(std::numeric_limits<std::int64_t>::min())) == "-9223372036854775808");
  CHECK(text_of(Params::of(std::numeric_limits<std::int64_t>::max())) == "9223372036854775807");
  CHECK(text_of(Params::of(std::numeric_limits<std::uint64_t>::max())) == "18446744073709551615");
  CHECK(text_of(Params::of(std::int16_t{-5})) == "-5");
  CHECK(text_of(Params::of(std::uint8_t{200})) == "200");
  CHECK(text_of(Params::of(std::int8_t{-1})) == "-1");
}

TEST_CASE("an empty text is a text, not NULL", "[params]") {
  CHECK(text_of(Params::of("")).empty());
  CHECK(text_of(Params::of(std::string_view())).empty());
}

TEST_CASE("an optional is its value or NULL", "[params]") {
  const auto params = Params::of(std::optional<int>(3), std::optional<int>(),
                                 std::optional<std::string>("x"), std::optional<std::string>());
  CHECK(text_of(params, 0) == "3");
  CHECK(params[1].kind == Kind::kNull);
  CHECK(text_of(params, 2) == "x");
  CHECK(params[3].kind == Kind::kNull);
}

TEST_CASE("U+0000 is refused wherever it stands, and the message names the parameter", "[params]") {
  using namespace std::string_literals;
  for (const std::string& text : {"\0"s, "a\0"s, "\0a"s, "a\0b"s, std::string(100, 'x') + "\0"s}) {
    CHECK_THROWS_AS(Params::of(text), std::invalid_argument);
    CHECK_THROWS_AS(Params::of(std::vector<std::string>{"fine", text}), std::invalid_argument);
    CHECK_THROWS_AS(Params().add_json("[\"" + text + "\"]"), std::invalid_argument);
    CHECK_THROWS_AS(Params::of(std::optional<std::string>(text)), std::invalid_argument);
  }
  try {
    (void)Params::of(1, 2, "a\0b"s);
    FAIL("U+0000 was accepted");
  } catch (const std::invalid_argument& error) {
    CHECK(std::string(error.what()).find("$3") != std::string::npos);
  }
}

TEST_CASE("a refused value leaves the others as they were", "[params]") {
  using namespace std::string_literals;
  Params params = Params::of(1);
  CHECK_THROWS_AS(params.add(std::string_view("\0"s)), std::invalid_argument);
  CHECK(params.size() == 1);
  params.add(2);
  CHECK(text_of(params, 1) == "2");
}

TEST_CASE("special doubles have PostgreSQL's names", "[params]") {
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(text_of(Params::of(infinity)) == "Infinity");
  CHECK(text_of(Params::of(-infinity)) == "-Infinity");
  CHECK(text_of(Params::of(std::numeric_limits<double>::quiet_NaN())) == "NaN");
  CHECK(text_of(Params::of(-std::numeric_limits<double>::quiet_NaN())) == "NaN");
  CHECK(std::signbit(std::strtod(text_of(Params::of(-0.0)).c_str(), nullptr)));
}

TEST_CASE("every double reads back bit for bit", "[params]") {
  std::mt19937_64 random(11);
  const auto round_trips = [](double value) {
    const std::string text = text_of(Params::of(value));
    const double back = std::strtod(text.c_str(), nullptr);
    CAPTURE(text);
    REQUIRE(std::memcmp(&back, &value, sizeof value) == 0);
  };
  for (const double value :
       {0.1, 1.0 / 3, 1e23, 5e-324, 2.2250738585072011e-308, 1.7976931348623157e308,
        9007199254740993.0, -1e-7, 123456789012345680.0}) {
    round_trips(value);
  }
  for (int i = 0; i < 50'000; ++i) {
    const std::uint64_t bits = random();
    double value = 0;
    std::memcpy(&value, &bits, sizeof value);
    if (std::isfinite(value)) {
      round_trips(value);
    }
  }
}

TEST_CASE("a double's text is the shortest there is", "[params]") {
  CHECK(text_of(Params::of(0.1)) == "0.1");
  CHECK(text_of(Params::of(1e22)) == "1e+22");
  CHECK(text_of(Params::of(100.0)) == "100");
  CHECK(text_of(Params::of(1.5F)) == "1.5");
}

TEST_CASE("bytes become bytea's hex form, every byte of them", "[params]") {
  std::vector<std::byte> all;
  std::string expected = "\\x";
  for (int i = 0; i < 256; ++i) {
    all.push_back(static_cast<std::byte>(i));
    std::array<char, 3> hex{};
    std::snprintf(hex.data(), hex.size(), "%02x", static_cast<unsigned>(i));
    expected += hex.data();
  }
  CHECK(text_of(Params::of(std::span<const std::byte>(all))) == expected);
  CHECK(text_of(Params::of(std::span<const std::byte>())) == "\\x");
}

TEST_CASE("a vector is an array literal that quotes what it must", "[params]") {
  CHECK(text_of(Params::of(std::vector<int>{})) == "{}");
  CHECK(text_of(Params::of(
            std::vector<std::string>{"a\"b", "c\\d", "", "NULL", "{x}", "a,b", " lead", "null"})) ==
        R"({"a\"b","c\\d","","NULL","{x}","a,b"," lead","null"})");
  CHECK(text_of(Params::of(std::vector<std::optional<std::string>>{"NULL", std::nullopt})) ==
        R"({"NULL",NULL})");
  CHECK(text_of(Params::of(std::vector<std::optional<int>>{std::nullopt})) == "{NULL}");
}

TEST_CASE("an element that is binary is a bytea in the array", "[params]") {
  const std::vector<std::vector<int>> none{};
  CHECK(text_of(Params::of(none)) == "{}");
  std::vector<std::byte> bytes{std::byte{0xDE}, std::byte{0x00}};
  const std::vector<std::span<const std::byte>> array{bytes};
  CHECK(text_of(Params::of(array)) == R"({"\\xde00"})");
}

TEST_CASE("JSON keeps its text and is marked as JSON", "[params]") {
  Params params;
  params.add_json(R"([1.10, 1e400, "x"])").add_json("null");
  REQUIRE(params.size() == 2);
  CHECK(params[0].kind == Kind::kJson);
  CHECK(params[0].text == R"([1.10, 1e400, "x"])");
  CHECK(params[1].kind == Kind::kJson);
}

TEST_CASE("copies of parameters are independent", "[params]") {
  const Params original = Params::of("a");
  Params copy = original;
  copy.add("b");
  CHECK(original.size() == 1);
  CHECK(copy.size() == 2);
}
