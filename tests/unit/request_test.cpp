#include "request.hpp"

#include <string>
#include <string_view>

#include "catch.hpp"

using query::Isolation;
using query::JsonOptions;
using query::Params;
using query::server::BadRequest;
using query::server::parse_request;
using query::server::QueryRequest;

namespace {

auto message_of(std::string_view body) -> std::string {
  try {
    (void)parse_request(body);
  } catch (const BadRequest& error) {
    return error.what();
  }
  return "accepted";
}

/// The params of a request, each as kind and text: `"text"`, `[json]` in brackets, `null`.
auto params_of(const std::string& json) -> std::string {
  const QueryRequest request = parse_request(R"({"sql": "select", "params": )" + json + "}");
  const Params& params = request.statements.at(0).params;
  std::string out;
  for (std::size_t i = 0; i < params.size(); ++i) {
    out += out.empty() ? "" : " ";
    switch (params[i].kind) {
      case Params::Kind::kNull:
        out += "null";
        break;
      case Params::Kind::kText:
        out += params[i].text;
        break;
      case Params::Kind::kJson:
        out += "json:" + params[i].text;
        break;
    }
  }
  return out;
}

}  // namespace

TEST_CASE("a body that does not begin with a brace is the statement itself") {
  const QueryRequest request = parse_request("\n  select '{' as ü -- end");
  REQUIRE(request.statements.size() == 1);
  CHECK(request.statements[0].sql == "\n  select '{' as ü -- end");
  CHECK(request.statements[0].params.empty());
  CHECK_FALSE(request.batch);
}

TEST_CASE("raw SQL must be text that PostgreSQL can hold") {
  CHECK_THAT(message_of(""), ContainsSubstring("the body is empty"));
  CHECK_THAT(message_of(" \r\n\t"), ContainsSubstring("the body is empty"));
  CHECK_THAT(message_of(std::string_view("select '\0'", 10)), ContainsSubstring("U+0000"));
  CHECK_THAT(message_of("select '\xff'"), ContainsSubstring("not valid UTF-8: byte 9"));
  CHECK_THAT(message_of("select '\xc0\xaf'"), ContainsSubstring("not valid UTF-8"));  // overlong
  CHECK_THAT(message_of("select '\xed\xa0\x80'"),
             ContainsSubstring("not valid UTF-8"));  // surrogate
  CHECK_THAT(message_of("select '\xf4\x90\x80\x80'"), ContainsSubstring("not valid UTF-8"));
  CHECK_THAT(message_of("select '\xe2\x82"), ContainsSubstring("not valid UTF-8"));  // cut short
  CHECK(message_of("select '\xf0\x9f\x90\x98'") == "accepted");
}

TEST_CASE("a byte order mark is no part of the body") {
  CHECK(parse_request("\xEF\xBB\xBF{\"sql\": \"select 1\"}").statements[0].sql == "select 1");
  CHECK(parse_request("\xEF\xBB\xBFselect 1").statements[0].sql == "select 1");
}

TEST_CASE("every member is taken") {
  const QueryRequest request = parse_request(
      R"( {"max_rows": 10, "read_only": true, "timeout_ms": 1500, "numbers": "string",
           "rows": "arrays", "params": [], "sql": "select \u00e9"} )");
  CHECK(request.statements.at(0).sql == "select é");
  CHECK(request.rows == JsonOptions::RowShape::kArrays);
  CHECK(request.numbers == JsonOptions::Numbers::kString);
  CHECK(request.timeout == std::chrono::milliseconds(1500));
  CHECK(request.read_only);
  CHECK(request.max_rows == 10);
}

TEST_CASE("a batch keeps its statements in order, each with its own params") {
  const QueryRequest request = parse_request(
      R"({"isolation": "repeatable read",
          "batch": [{"sql": "a", "params": [1]}, {"params": [[2], 3], "sql": "b"}, {"sql": "c"}]})");
  CHECK(request.batch);
  CHECK(request.isolation == Isolation::kRepeatableRead);
  REQUIRE(request.statements.size() == 3);
  CHECK(request.statements[0].sql == "a");
  CHECK(request.statements[0].params[0].text == "1");
  CHECK(request.statements[1].sql == "b");
  CHECK(request.statements[1].params[0].text == "[2]");
  CHECK(request.statements[1].params[1].text == "3");
  CHECK(request.statements[2].params.empty());
}

TEST_CASE("numbers reach their parameter exactly as they were written") {
  CHECK(params_of("[1.10, 1e400, -0, 0, -0.0, 1E+2]") == "1.10 1e400 -0 0 -0.0 1E+2");
  CHECK(params_of("[18446744073709551615, -9223372036854775808]") ==
        "18446744073709551615 -9223372036854775808");
  CHECK(params_of("[123456789012345678901234567890.123456789]") ==
        "123456789012345678901234567890.123456789");
  CHECK_THAT(message_of(R"({"sql": "select $1", "params": [1e99999]})"),
             ContainsSubstring("send it as a string"));
}

TEST_CASE("values that are no numbers become text, JSON or NULL") {
  CHECK(params_of(R"(["a\nb", true, false, null, ""])") == "a\nb true false null ");
}

TEST_CASE("arrays and objects are put together again from their tokens") {
  CHECK(params_of(R"([[], {}, [[]], [1 , [2.50, "x"] , null ]])") ==
        R"(json:[] json:{} json:[[]] json:[1,[2.50,"x"],null])");
  CHECK(params_of(R"([{"a" : [true, -0, 1e400], "b\"\\\u0001" : {"c": "\u00e9"}}])") ==
        R"(json:{"a":[true,-0,1e400],"b\"\\\u0001":{"c":"é"}})");
}

TEST_CASE("a mistake is named, with what would be right") {
  struct Case {
    const char* body;
    const char* message;
  };
  const Case cases[] = {
      {R"({"sql": "a")", "not valid JSON: line 1, column"},
      {R"({"sql": "a"} x)", "not valid JSON"},
      {R"({"sql": "a"}{})", "not valid JSON"},
      {R"({"sql": 'a'})", "not valid JSON"},
      {"{\"sql\": \"\xff\"}", "not valid JSON"},
      {R"({})", R"(needs "sql")"},
      {R"({"params": []})", R"(needs "sql")"},
      {R"({"sql": "a", "parms": []})", R"(unknown member "parms" (did you mean "params"?))"},
      {R"({"sql": "a", "timeout": 1})", R"(did you mean "timeout_ms"?)"},
      {R"({"sql": "a", "xyzzy": 1})", R"(unknown member "xyzzy")"},
      {R"({"sql": "a", "sql": "b"})", R"(the member "sql" twice)"},
      {R"({"sql": 7})", R"("sql" must be a string, not the number 7)"},
      {R"({"sql": null})", R"("sql" must be a string, not null)"},
      {R"({"sql": ["a"]})", R"("sql" must be a string, not an array)"},
      {R"({"sql": "a\u0000b"})", R"("sql" contains U+0000)"},
      {R"({"sql": "a", "params": {}})", R"("params" must be an array of values)"},
      {R"({"sql": "a", "params": "x"})", "not a string"},
      {R"({"sql": "a", "params": [1, "\u0000"]})", "params[1] contains U+0000"},
      {R"({"sql": "a", "params": [[1, "\u0000"]]})", "params[0] contains U+0000"},
      {R"({"sql": "a", "params": [{"\u0000": 1}]})", "params[0] contains U+0000"},
      {R"({"sql": "a", "rows": "array"})", R"("rows" must be "objects" or "arrays", not "array")"},
      {R"({"sql": "a", "rows": 1})", R"("rows" must be "objects" or "arrays", not the number 1)"},
      {R"({"sql": "a", "numbers": "text"})", R"("numbers" must be "exact" or "string")"},
      {R"({"sql": "a", "timeout_ms": 0})", "a whole number, at least 1"},
      {R"({"sql": "a", "timeout_ms": -5})", "not the number -5"},
      {R"({"sql": "a", "timeout_ms": 1.5})", "a whole number"},
      {R"({"sql": "a", "timeout_ms": "100"})", "not a string"},
      {R"({"sql": "a", "timeout_ms": 99999999999999999999})", "a whole number"},
      {R"({"sql": "a", "max_rows": -1})", "at least 0"},
      {R"({"sql": "a", "read_only": "true"})",
       R"("read_only" must be true or false, not a string)"},
      {R"({"sql": "a", "isolation": "serializable"})", R"("isolation" belongs to a "batch")"},
      {R"({"batch": [{"sql": "a"}], "isolation": "snapshot"})", R"(not "snapshot")"},
      {R"({"batch": [], "sql": "a"})", R"(either "sql" or "batch")"},
      {R"({"batch": []})", "at least one statement"},
      {R"({"batch": {}})", R"("batch" must be an array)"},
      {R"({"batch": ["a"]})", "batch[0] must be an object"},
      {R"({"batch": [[1]]})", "batch[0] must be an object"},
      {R"({"batch": [{"sql": "a"}, {}]})", R"(batch[1] needs "sql")"},
      {R"({"batch": [{"sql": "a"}, {"sql": 1}]})", R"("batch[1].sql" must be a string)"},
      {R"({"batch": [{"sql": "a", "param": []}]})",
       R"(batch[0] has an unknown member "param" (did you mean "params"?))"},
      {R"({"batch": [{"sql": "a", "rows": "arrays"}]})", "batch[0] has an unknown member"},
      {R"({"batch": [{"sql": "a"}, {"sql": "b", "params": ["\u0000"]}]})",
       "batch[1].params[0] contains U+0000"},
      {R"({"batch": [{"sql": "a"}], "params": []})", R"("params" stands inside each statement)"},
  };
  for (const Case& one : cases) {
    INFO(one.body);
    CHECK_THAT(message_of(one.body), ContainsSubstring(one.message));
  }
}

TEST_CASE("depth and number of params are bounded") {
  const auto nested = [](std::size_t depth) {
    return R"({"sql": "a", "params": [)" + std::string(depth, '[') + std::string(depth, ']') + "]}";
  };
  CHECK(message_of(nested(62)) == "accepted");
  CHECK_THAT(message_of(nested(63)), ContainsSubstring("nested deeper than 64 levels"));
  CHECK_THAT(message_of(nested(100000)), ContainsSubstring("nested deeper"));

  const auto many = [](std::size_t count) {
    std::string list;
    for (std::size_t i = 0; i < count; ++i) {
      list += i == 0 ? "1" : ",1";
    }
    return R"({"sql": "a", "params": [)" + list + "]}";
  };
  CHECK(message_of(many(65535)) == "accepted");
  CHECK_THAT(message_of(many(65536)), ContainsSubstring("at most 65535 params"));
}
