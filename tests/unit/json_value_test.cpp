#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "json_text.hpp"
#include "json_type.hpp"

using query::Buffer;
using query::JsonOptions;
using query::Oid;
using query::detail::type_info;

namespace {

constexpr Oid kBool = 16;
constexpr Oid kBytea = 17;
constexpr Oid kInt8 = 20;
constexpr Oid kInt2Vector = 22;
constexpr Oid kInt4 = 23;
constexpr Oid kText = 25;
constexpr Oid kOidVector = 30;
constexpr Oid kJson = 114;
constexpr Oid kJsonArray = 199;
constexpr Oid kFloat8 = 701;
constexpr Oid kBoolArray = 1000;
constexpr Oid kInt2VectorArray = 1006;
constexpr Oid kInt4Array = 1007;
constexpr Oid kTextArray = 1009;
constexpr Oid kInt8Array = 1016;
constexpr Oid kBoxArray = 1020;
constexpr Oid kTimestamp = 1114;
constexpr Oid kTimestampArray = 1115;
constexpr Oid kTimestampTz = 1184;
constexpr Oid kTimestampTzArray = 1185;
constexpr Oid kNumeric = 1700;
constexpr Oid kNumericArray = 1231;
constexpr Oid kJsonb = 3802;
constexpr Oid kUnknownUserType = 987654;

/// From no more room than the text takes: the sanitizers watch.
auto json(Oid oid, std::string_view text, const JsonOptions& options = {}) -> std::string {
  const std::vector<char> exact(text.begin(), text.end());
  Buffer buffer;
  query::detail::append_json_value(buffer, {exact.data(), exact.size()}, type_info(oid), options);
  return std::string(buffer.view());
}

}  // namespace

TEST_CASE("booleans are words", "[json_value]") {
  CHECK(json(kBool, "t") == "true");
  CHECK(json(kBool, "f") == "false");
  CHECK(json(kBoolArray, "{t,f,NULL}") == "[true,false,null]");
}

TEST_CASE("numbers are copied digit for digit", "[json_value]") {
  CHECK(json(kInt4, "-2147483648") == "-2147483648");
  CHECK(json(kInt8, "9223372036854775807") == "9223372036854775807");
  CHECK(json(kFloat8, "1e+20") == "1e+20");
  CHECK(json(kFloat8, "-0") == "-0");
  CHECK(json(kFloat8, "1e-07") == "1e-07");
  CHECK(json(kNumeric, "123.4500") == "123.4500");
  CHECK(json(kNumeric, std::string(5000, '9')) == std::string(5000, '9'));
}

TEST_CASE("numbers of every length are copied whole", "[json_value]") {
  std::string digits;
  for (std::size_t length = 1; length <= 100; ++length) {
    digits += static_cast<char>('0' + length % 10);
    REQUIRE(json(kNumeric, digits) == digits);
    REQUIRE(json(kNumeric, "-" + digits) == "-" + digits);
  }
}

TEST_CASE("numbers that JSON cannot hold are strings", "[json_value]") {
  CHECK(json(kFloat8, "NaN") == "\"NaN\"");
  CHECK(json(kFloat8, "Infinity") == "\"Infinity\"");
  CHECK(json(kFloat8, "-Infinity") == "\"-Infinity\"");
  CHECK(json(kNumeric, "-Infinity") == "\"-Infinity\"");
  CHECK(json(kNumericArray, "{NaN,1.10,-Infinity}") == "[\"NaN\",1.10,\"-Infinity\"]");
}

TEST_CASE("numbers as strings are asked for by type, never by value", "[json_value]") {
  JsonOptions options;
  options.numbers = JsonOptions::Numbers::kString;
  CHECK(json(kInt8, "1", options) == "\"1\"");
  CHECK(json(kNumeric, "1.10", options) == "\"1.10\"");
  CHECK(json(kNumeric, "NaN", options) == "\"NaN\"");
  CHECK(json(kInt8Array, "{1,NULL,{2}}", options) == "[\"1\",null,[\"2\"]]");
  CHECK(json(kInt4, "1", options) == "1");
  CHECK(json(kFloat8, "1.5", options) == "1.5");
  CHECK(json(kBool, "t", options) == "true");
}

TEST_CASE("strings are quoted and escaped", "[json_value]") {
  CHECK(json(kText, "a \"b\" \\ \n") == R"("a \"b\" \\ \n")");
  CHECK(json(kText, "") == "\"\"");
  CHECK(json(kText, "NULL") == "\"NULL\"");
  CHECK(json(kText, "{1,2}") == "\"{1,2}\"");
  CHECK(json(kBytea, "\\xdead") == R"("\\xdead")");
  CHECK(json(kUnknownUserType, "{sad,\"very sad\"}") == R"("{sad,\"very sad\"}")");
}

TEST_CASE("json is copied, on one line where a line is a row", "[json_value]") {
  const std::string_view text = "{ \"a\" :\r\n [1,\n2], \"a\": \"\\n\" }";
  CHECK(json(kJson, text) == text);
  JsonOptions lines;
  lines.framing = JsonOptions::Framing::kLines;
  CHECK(json(kJson, text, lines) == "{ \"a\" :   [1, 2], \"a\": \"\\n\" }");
  CHECK(json(kJsonb, R"({"a": [1, 2]})", lines) == R"({"a": [1, 2]})");
  CHECK(json(kJsonArray, R"({"{\"a\": 1}",null,NULL,1.50,"\"s\""})") ==
        R"([{"a": 1},null,null,1.50,"s"])");
  CHECK(json(kJsonArray, "{\"[1,\n2]\"}", lines) == "[[1, 2]]");
}

TEST_CASE("timestamps get a T", "[json_value]") {
  CHECK(json(kTimestamp, "2024-01-02 03:04:05.6") == "\"2024-01-02T03:04:05.6\"");
  CHECK(json(kTimestamp, "0044-03-15 12:00:00 BC") == "\"0044-03-15T12:00:00 BC\"");
  CHECK(json(kTimestamp, "294276-12-31 23:59:59.999999") == "\"294276-12-31T23:59:59.999999\"");
  CHECK(json(kTimestamp, "infinity") == "\"infinity\"");
  CHECK(json(kTimestamp, "-infinity") == "\"-infinity\"");
}

TEST_CASE("zones of whole hours get their minutes, others stay", "[json_value]") {
  CHECK(json(kTimestampTz, "2024-01-02 03:04:05+00") == "\"2024-01-02T03:04:05+00:00\"");
  CHECK(json(kTimestampTz, "2024-01-02 03:04:05.123456-08") ==
        "\"2024-01-02T03:04:05.123456-08:00\"");
  CHECK(json(kTimestampTz, "2024-01-02 03:04:05+05:45") == "\"2024-01-02T03:04:05+05:45\"");
  CHECK(json(kTimestampTz, "1900-01-01 00:00:00-00:43:08") == "\"1900-01-01T00:00:00-00:43:08\"");
  CHECK(json(kTimestampTz, "0044-03-15 12:00:00+00 BC") == "\"0044-03-15T12:00:00+00:00 BC\"");
  CHECK(json(kTimestampTz, "0044-03-15 12:00:00+00:53:28 BC") ==
        "\"0044-03-15T12:00:00+00:53:28 BC\"");
  CHECK(json(kTimestampTz, "infinity") == "\"infinity\"");
}

TEST_CASE("timestamps of every length and their like", "[json_value]") {
  // From no fraction to a year of six digits, a fraction of six and a zone down to seconds.
  for (const std::string date : {"2024-01-02", "10000-01-02", "294276-12-31"}) {
    for (const std::string fraction : {"", ".5", ".12", ".123", ".1234", ".12345", ".123456"}) {
      for (const std::string zone : {"+00", "-08", "+05:45", "-00:43:08"}) {
        for (const std::string era : {"", " BC"}) {
          const std::string time = " 03:04:05" + fraction;
          const std::string minutes = zone.size() == 3 ? ":00" : "";
          CAPTURE(date, time, zone, era);
          CHECK(json(kTimestamp, date + time + era) ==
                '"' + date + "T" + time.substr(1) + era + '"');
          CHECK(json(kTimestampTz, date + time + zone + era) ==
                '"' + date + "T" + time.substr(1) + zone + minutes + era + '"');
        }
      }
    }
  }
}

TEST_CASE("a date style that is not ISO is quoted as it is", "[json_value]") {
  for (const std::string text : {"02.01.2024 03:04:05", "01/02/2024 03:04:05 CET",
                                 "Tue Jan 02 03:04:05 2024", "Tue Jan 02 03:04:05 2024 CET", ""}) {
    CAPTURE(text);
    const std::string quoted = json(kTimestampTz, text);
    REQUIRE(quoted.size() >= 2);
    CHECK(quoted.front() == '"');
    CHECK(quoted.back() == '"');
  }
  CHECK(json(kTimestampTz, "Tue Jan 02 03:04:05 2024 CET") == "\"Tue Jan 02 03:04:05 2024 CET\"");
  CHECK(json(kTimestamp, "01/02/2024 03:04:05") == "\"01/02/2024 03:04:05\"");
}

TEST_CASE("arrays of timestamps follow the same rule", "[json_value]") {
  CHECK(json(kTimestampArray,
             R"j({"2024-01-02 03:04:05",NULL,infinity,"0044-03-15 00:00:00 BC"})j") ==
        R"(["2024-01-02T03:04:05",null,"infinity","0044-03-15T00:00:00 BC"])");
  CHECK(json(kTimestampTzArray, R"({{"2024-01-02 03:04:05+00"},{"2024-01-02 03:04:05+05:45"}})") ==
        R"([["2024-01-02T03:04:05+00:00"],["2024-01-02T03:04:05+05:45"]])");
}

TEST_CASE("array text becomes a JSON array", "[json_value]") {
  CHECK(json(kInt4Array, "{}") == "[]");
  CHECK(json(kInt4Array, "{1}") == "[1]");
  CHECK(json(kInt4Array, "{1,NULL,-3}") == "[1,null,-3]");
  CHECK(json(kInt4Array, "{{1,2},{3,4}}") == "[[1,2],[3,4]]");
  CHECK(json(kInt4Array, "{{{{{{1}}}}}}") == "[[[[[[1]]]]]]");
}

TEST_CASE("only the unquoted NULL is null", "[json_value]") {
  CHECK(json(kTextArray, R"({NULL,"NULL","null"})") == R"([null,"NULL","null"])");
  CHECK(json(kTextArray, "{NULLX,XNULL,null}") == R"(["NULLX","XNULL","null"])");
}

TEST_CASE("quoted elements lose their backslashes and keep what they protect", "[json_value]") {
  CHECK(json(kTextArray, R"({"a \"b\"","c\\d","","{x}","a,b","} ]"})") ==
        R"(["a \"b\"","c\\d","","{x}","a,b","} ]"])");
  CHECK(json(kTextArray, R"({"\"","\\","\"\\\""})") == R"(["\"","\\","\"\\\""])");
  CHECK(json(kTextArray, "{\"line\nfeed\",\"tab\there\"}") == R"(["line\nfeed","tab\there"])");
  CHECK(json(kTextArray, "{\"\xc3\xa4;\xf0\x9f\x90\x98\",b;c}") ==
        "[\"\xc3\xa4;\xf0\x9f\x90\x98\",\"b;c\"]");
}

TEST_CASE("bounds are dropped", "[json_value]") {
  CHECK(json(kInt4Array, "[0:1]={1,2}") == "[1,2]");
  CHECK(json(kInt4Array, "[-5:-4][10:11]={{1,2},{3,4}}") == "[[1,2],[3,4]]");
  CHECK(json(kTextArray, "[2:3]={\"=\",\"a=b\"}") == R"(["=","a=b"])");
}

TEST_CASE("boxes are divided by semicolons", "[json_value]") {
  CHECK(json(kBoxArray, "{(2,2),(1,1);(4,4),(3,3);NULL}") ==
        R"j(["(2,2),(1,1)","(4,4),(3,3)",null])j");
  CHECK(json(kBoxArray, "{{(2,2),(1,1)};{(4,4),(3,3)}}") ==
        R"j([["(2,2),(1,1)"],["(4,4),(3,3)"]])j");
}

TEST_CASE("vectors are arrays", "[json_value]") {
  CHECK(json(kInt2Vector, "1 2 -3") == "[1,2,-3]");
  CHECK(json(kInt2Vector, "") == "[]");
  CHECK(json(kOidVector, "23 25") == R"(["23","25"])");
  CHECK(json(kInt2VectorArray, R"({"1 2","3"})") == "[[1,2],[3]]");
}

TEST_CASE("an array text that is none is quoted, and nothing is read past its end",
          "[json_value]") {
  CHECK(json(kInt4Array, "surprise") == "\"surprise\"");
  for (const std::string_view cut :
       {"{", "{1,", "{\"", "{\"a", "{\"a\\", "[", "[0:1]", "[0:1]=", "{\"a\\\""}) {
    CAPTURE(cut);
    (void)json(kTextArray, cut);  // the sanitizers watch
  }
}

TEST_CASE("a nesting depth of the data's choice does not use the stack", "[json_value]") {
  const std::string deep = std::string(1'000'000, '{') + std::string(1'000'000, '}');
  const std::string value = json(kInt4Array, deep);
  CHECK(value == std::string(1'000'000, '[') + std::string(1'000'000, ']'));
}
