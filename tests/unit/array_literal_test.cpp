#include "array_literal.hpp"

#include <stdexcept>
#include <string>

#include "catch.hpp"

using query::detail::ArrayElements;
using query::detail::to_array_literal;

namespace {

auto values(std::string_view json) -> std::string {
  return to_array_literal(json, ArrayElements::kValues);
}

auto documents(std::string_view json) -> std::string {
  return to_array_literal(json, ArrayElements::kJson);
}

}  // namespace

TEST_CASE("a JSON array becomes an array literal", "[array_literal]") {
  CHECK(values("[]") == "{}");
  CHECK(values("[1]") == "{1}");
  CHECK(values("[1,2,3]") == "{1,2,3}");
  CHECK(values("[true,false,null]") == "{true,false,NULL}");
  CHECK(values(" [ 1 ,\t2\r\n] ") == "{1,2}");
}

TEST_CASE("arrays in arrays become dimensions", "[array_literal]") {
  CHECK(values("[[1,2],[3,4]]") == "{{1,2},{3,4}}");
  CHECK(values("[[[1]]]") == "{{{1}}}");
  CHECK(values("[[],[]]") == "{{},{}}");
}

TEST_CASE("numbers are copied as they are written", "[array_literal]") {
  CHECK(values("[1.10,1e400,12345678901234567890,-0,-0.0,1E-7]") ==
        "{1.10,1e400,12345678901234567890,-0,-0.0,1E-7}");
}

TEST_CASE("strings are quoted, so that nothing in them means anything", "[array_literal]") {
  CHECK(values(R"(["a","NULL","null","",  " x "])") == R"({"a","NULL","null",""," x "})");
  CHECK(values(R"(["{}","a,b","a\"b","c\\d"])") == R"({"{}","a,b","a\"b","c\\d"})");
  CHECK(values(R"(["]","[","}"])") == R"({"]","[","}"})");
}

TEST_CASE("the escapes of JSON strings are decoded", "[array_literal]") {
  CHECK(values(R"(["\/\b\f\n\r\t"])") == "{\"/\b\f\n\r\t\"}");
  CHECK(values(R"(["\u0041\u00e4\u20ac"])") == "{\"A\xc3\xa4\xe2\x82\xac\"}");
  CHECK(values(R"(["\ud83d\udc18"])") == "{\"\xf0\x9f\x90\x98\"}");
  CHECK(values(R"(["\uD83D\uDC18"])") == "{\"\xf0\x9f\x90\x98\"}");
  CHECK(values(R"(["\u005c","\u0022"])") == R"({"\\","\""})");
  CHECK(values(R"(["\u07ff\u0800\uffff"])") == "{\"\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\"}");
  CHECK(values("[\"\xf0\x9f\x90\x98\"]") == "{\"\xf0\x9f\x90\x98\"}");
}

TEST_CASE("an object is an element's JSON text", "[array_literal]") {
  CHECK(values(R"([{"a": [1, "x"]}, null])") == R"({"{\"a\": [1, \"x\"]}",NULL})");
  CHECK(values(R"([{"brackets": "]}"}])") == R"({"{\"brackets\": \"]}\"}"})");
}

TEST_CASE("for json[] every element keeps its JSON", "[array_literal]") {
  CHECK(documents(R"(["a", 1.10, null, true, {"k": null}, [1, [2]]])") ==
        R"({"\"a\"","1.10",NULL,"true","{\"k\": null}","[1, [2]]"})");
  CHECK(documents("[]") == "{}");
  CHECK(documents("[[]]") == R"({"[]"})");
  CHECK(documents(R"(["\u0041\\"])") == R"({"\"\\u0041\\\\\""})");
}

TEST_CASE("anything but an array is returned for PostgreSQL to judge", "[array_literal]") {
  CHECK(values(R"({"a": 1})") == R"({"a": 1})");
  CHECK(values("{1,2}") == "{1,2}");
  CHECK(values("7") == "7");
  CHECK(values("") == "");
}

TEST_CASE("what is no JSON array is refused", "[array_literal]") {
  for (const std::string json : {"[",
                                 "[1",
                                 "[1,",
                                 "[1,]",
                                 "[,1]",
                                 "[1 2]",
                                 "[1]]",
                                 "[1] x",
                                 "[\"a]",
                                 "[\"a\\\"]",
                                 "[[1]",
                                 "[1}",
                                 "[{\"a\":1]",
                                 "[\"\\x\"]",
                                 "[\"\\u12\"]",
                                 "[\"\\u12g4\"]",
                                 "[\"\\ud83d\"]",
                                 "[\"\\udc18\"]",
                                 "[\"\\ud83d\\u0041\"]",
                                 "[\"\\ud83dx\"]",
                                 "[\"a\"\"b\"]",
                                 "[\"a\" \"b\"]",
                                 "[1:2]",
                                 "[+1]"}) {
    CAPTURE(json);
    CHECK_THROWS_AS(values(json), std::invalid_argument);
  }
}

TEST_CASE("a bare word is refused: it must not become a string or a NULL", "[array_literal]") {
  for (const std::string json : {"[abc]", "[NULL]", "[nul]", "[True]", "[NaN]", "[1a]", "[01]",
                                 "[.5]", "[5.]", "[1e]", "[-]", "[0x10]", "['a']"}) {
    CAPTURE(json);
    CHECK_THROWS_AS(values(json), std::invalid_argument);
    CHECK_THROWS_AS(documents(json), std::invalid_argument);
  }
}

TEST_CASE("brackets that do not match are refused inside an element too", "[array_literal]") {
  for (const std::string json : {"[{]]", "[{\"a\":[}]}]", "[{\"a\":1]]"}) {
    CAPTURE(json);
    CHECK_THROWS_AS(values(json), std::invalid_argument);
  }
}

TEST_CASE("U+0000 is refused in an array's text", "[array_literal]") {
  CHECK_THROWS_AS(values(R"(["\u0000"])"), std::invalid_argument);
  CHECK_THROWS_AS(values(R"(["a\u0000b"])"), std::invalid_argument);
}

TEST_CASE("a nesting depth of the caller's choice does not use the stack", "[array_literal]") {
  constexpr std::size_t kDepth = 500'000;
  CHECK(values(std::string(kDepth, '[') + std::string(kDepth, ']')) ==
        std::string(kDepth, '{') + std::string(kDepth, '}'));
  CHECK_THROWS_AS(values(std::string(kDepth, '[')), std::invalid_argument);
  const std::string nested = std::string(kDepth, '[') + std::string(kDepth, ']');
  CHECK(documents("[" + nested + "]") == "{\"" + nested + "\"}");
}
