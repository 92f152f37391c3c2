// The envelope, byte for byte. What stands inside it is json_oracle_test.cpp's.

#include <stdexcept>
#include <string>
#include <vector>

#include "catch.hpp"
#include "database.hpp"

using query::Buffer;
using query::JsonOptions;
using query::JsonStream;
using query::Params;
using query::Pool;
using query::Statement;

namespace {

using Framing = JsonOptions::Framing;
using Numbers = JsonOptions::Numbers;
using RowShape = JsonOptions::RowShape;

const std::string kThree =
    "select i as n, 'row ' || i as \"the \"\"name\"\"\" from generate_series(1, 3) i";

auto at_most(std::uint64_t rows) -> query::QueryOptions {
  auto options = test::within();
  options.max_rows = rows;
  return options;
}

}  // namespace

TEST_CASE("the first example of the manual", "[json_stream]") {
  Pool pool(test::pool_options());
  CHECK(
      test::json(pool, "select 1 as one") ==
      R"({"columns":[{"name":"one","type":"int4","oid":23}],"rows":[{"one":1}],"command":"SELECT","row_count":1})");
}

TEST_CASE("rows are objects or arrays", "[json_stream]") {
  Pool pool(test::pool_options());
  CHECK(
      test::json(pool, kThree) ==
      R"({"columns":[{"name":"n","type":"int4","oid":23},{"name":"the \"name\"","type":"text","oid":25}],)"
      R"("rows":[{"n":1,"the \"name\"":"row 1"},{"n":2,"the \"name\"":"row 2"},{"n":3,"the \"name\"":"row 3"}],)"
      R"("command":"SELECT","row_count":3})");
  CHECK(
      test::json(pool, kThree, {.rows = RowShape::kArrays}) ==
      R"({"columns":[{"name":"n","type":"int4","oid":23},{"name":"the \"name\"","type":"text","oid":25}],)"
      R"("rows":[[1,"row 1"],[2,"row 2"],[3,"row 3"]],"command":"SELECT","row_count":3})");
}

TEST_CASE("numbers that a double cannot hold are quoted when asked for", "[json_stream]") {
  Pool pool(test::pool_options());
  const std::string sql =
      "select 9007199254740993 as i8, 1.10 as n, 1::int4 as i4, 1.5::float8 as f8, array[1::int8, "
      "null] as a, "
      "null::numeric as z";
  CHECK(test::json(pool, sql, {.rows = RowShape::kArrays, .framing = Framing::kLines}) ==
        "[9007199254740993,1.10,1,1.5,[1,null],null]\n");
  CHECK(test::json(
            pool, sql,
            {.rows = RowShape::kArrays, .numbers = Numbers::kString, .framing = Framing::kLines}) ==
        "[\"9007199254740993\",\"1.10\",1,1.5,[\"1\",null],null]\n");
}

TEST_CASE("NDJSON is rows and line feeds and nothing else", "[json_stream]") {
  Pool pool(test::pool_options());
  CHECK(test::json(pool, kThree, {.framing = Framing::kLines}) ==
        "{\"n\":1,\"the \\\"name\\\"\":\"row 1\"}\n{\"n\":2,\"the \\\"name\\\"\":\"row 2\"}\n"
        "{\"n\":3,\"the \\\"name\\\"\":\"row 3\"}\n");
  CHECK(test::json(pool, "select 1 as a where false", {.framing = Framing::kLines}).empty());
  CHECK(test::json(pool, "select E'[1,\\n2]'::json as j, E'a\\nb' as t",
                   {.framing = Framing::kLines}) == "{\"j\":[1, 2],\"t\":\"a\\nb\"}\n");
}

TEST_CASE("CSV has a header, CRLF, and tells NULL from the empty text", "[json_stream]") {
  Pool pool(test::pool_options());
  CHECK(test::json(pool,
                   "select 1 as a, 'x,y' as \"b \"\"q\"\"\", null as c, '' as d, E'l\\nf' as e",
                   {.framing = Framing::kCsv}) ==
        "a,\"b \"\"q\"\"\",c,d,e\r\n1,\"x,y\",,\"\",\"l\nf\"\r\n");
  CHECK(test::json(pool, "select 1 as a where false", {.framing = Framing::kCsv}) == "a\r\n");
}

TEST_CASE("statements without rows, and rows without columns", "[json_stream]") {
  Pool pool(test::pool_options());
  auto connection = pool.acquire(test::within());
  const auto json = [&](const std::string& sql) {
    return test::json(connection.query(sql, test::within()));
  };
  CHECK(json("create temp table json_stream_t (a int)") ==
        R"({"columns":[],"rows":[],"command":"CREATE TABLE","row_count":null})");
  CHECK(json("insert into json_stream_t values (1), (2)") ==
        R"({"columns":[],"rows":[],"command":"INSERT","row_count":2})");
  CHECK(json("update json_stream_t set a = 3 where a = 9") ==
        R"({"columns":[],"rows":[],"command":"UPDATE","row_count":0})");
  CHECK(
      json("delete from json_stream_t where a = 1 returning a") ==
      R"({"columns":[{"name":"a","type":"int4","oid":23}],"rows":[{"a":1}],"command":"DELETE","row_count":1})");
  CHECK(json("select from json_stream_t") ==
        R"({"columns":[],"rows":[{}],"command":"SELECT","row_count":1})");
  CHECK(
      json("select 1 as a where false") ==
      R"({"columns":[{"name":"a","type":"int4","oid":23}],"rows":[],"command":"SELECT","row_count":0})");
  CHECK(json("set work_mem = '5MB'") ==
        R"({"columns":[],"rows":[],"command":"SET","row_count":null})");
  CHECK(json("do $$ begin end $$") ==
        R"({"columns":[],"rows":[],"command":"DO","row_count":null})");
  CHECK(
      json("show work_mem") ==
      R"({"columns":[{"name":"work_mem","type":"text","oid":25}],"rows":[{"work_mem":"5MB"}],"command":"SHOW","row_count":null})");
  CHECK(
      json("values (1)") ==
      R"({"columns":[{"name":"column1","type":"int4","oid":23}],"rows":[{"column1":1}],"command":"SELECT","row_count":1})");
  CHECK(json("create temp table json_stream_u as select generate_series(1, 4)") ==
        R"({"columns":[],"rows":[],"command":"SELECT","row_count":4})");
  CHECK(json("") == R"({"columns":[],"rows":[],"command":"","row_count":null})");
}

TEST_CASE("a column of a type that is not built in has no type name", "[json_stream]") {
  Pool pool(test::pool_options());
  auto connection = pool.acquire(test::within());
  (void)connection.execute("create type pg_temp.json_stream_mood as enum ('sad')", test::within());
  const std::string oid =
      test::value(connection, "select 'pg_temp.json_stream_mood'::regtype::oid::text");
  CHECK(
      test::json(connection.query("select 'sad'::pg_temp.json_stream_mood as m", test::within())) ==
      R"({"columns":[{"name":"m","type":null,"oid":)" + oid +
          R"(}],"rows":[{"m":"sad"}],"command":"SELECT","row_count":1})");
}

TEST_CASE("duplicate names are repeated, as row_to_json does", "[json_stream]") {
  Pool pool(test::pool_options());
  CHECK(test::json(pool, "select 1 as a, 2 as a", {.framing = Framing::kLines}) ==
        "{\"a\":1,\"a\":2}\n");
}

TEST_CASE("a cut answer says so at its end", "[json_stream]") {
  Pool pool(test::pool_options());
  CHECK(
      test::json(pool.query(kThree, at_most(2)), {.rows = RowShape::kArrays}) ==
      R"({"columns":[{"name":"n","type":"int4","oid":23},{"name":"the \"name\"","type":"text","oid":25}],)"
      R"("rows":[[1,"row 1"],[2,"row 2"]],"command":"SELECT","row_count":2,"truncated":true})");
  CHECK(
      test::json(pool.query("select 1 as a", at_most(0))) ==
      R"({"columns":[{"name":"a","type":"int4","oid":23}],"rows":[],"command":"SELECT","row_count":0,"truncated":true})");
  CHECK(
      test::json(pool.query("select 1 as a", at_most(1))) ==
      R"({"columns":[{"name":"a","type":"int4","oid":23}],"rows":[{"a":1}],"command":"SELECT","row_count":1})");
  auto read_only = at_most(2);
  read_only.read_only = true;
  CHECK(
      test::json(pool.query("select generate_series(1, 100000) as a", read_only),
                 {.rows = RowShape::kArrays}) ==
      R"({"columns":[{"name":"a","type":"int4","oid":23}],"rows":[[1],[2]],"command":"SELECT","row_count":2,"truncated":true})");
  JsonStream stream(pool.query(kThree, at_most(2)));
  Buffer buffer;
  while (stream.read(buffer)) {
  }
  CHECK(stream.truncated());
  CHECK(stream.row_count() == 2);
}

TEST_CASE("a batch is a document of documents", "[json_stream]") {
  Pool pool(test::pool_options());
  const std::vector<Statement> batch{"select 1 as a", "create temp table json_stream_t ()",
                                     Statement("select $1::text as b", Params::of("x"))};
  CHECK(
      test::json(pool.query_batch(batch, {}, test::within())) ==
      R"({"results":[{"columns":[{"name":"a","type":"int4","oid":23}],"rows":[{"a":1}],"command":"SELECT","row_count":1},)"
      R"({"columns":[],"rows":[],"command":"CREATE TABLE","row_count":null},)"
      R"({"columns":[{"name":"b","type":"text","oid":25}],"rows":[{"b":"x"}],"command":"SELECT","row_count":1}]})");
  const std::vector<Statement> cut{"select generate_series(1, 3) as n", "select 1 as a"};
  CHECK(
      test::json(pool.query_batch(cut, {}, at_most(1)), {.rows = RowShape::kArrays}) ==
      R"({"results":[{"columns":[{"name":"n","type":"int4","oid":23}],"rows":[[1]],"command":"SELECT","row_count":1,"truncated":true},)"
      R"({"columns":[{"name":"a","type":"int4","oid":23}],"rows":[[1]],"command":"SELECT","row_count":1}]})");
  for (const Framing framing : {Framing::kLines, Framing::kCsv}) {
    CHECK_THROWS_AS(test::json(pool.query_batch(batch, {}, test::within()), {.framing = framing}),
                    std::invalid_argument);
  }
  CHECK(test::value(pool, "select 1") == "1");
}

TEST_CASE("the bytes do not depend on how they are asked for", "[json_stream]") {
  Pool pool(test::pool_options());
  const std::string sql =
      "select i, repeat('x', i % 300) as t, array[i, null] as a from generate_series(1, 2000) i";
  for (const Framing framing : {Framing::kDocument, Framing::kLines, Framing::kCsv}) {
    const std::string whole = test::json(pool, sql, {.framing = framing});
    for (const std::size_t want :
         {std::size_t{1}, std::size_t{100}, std::size_t{4096}, std::size_t{1} << 30}) {
      JsonStream stream(pool.query(sql, test::within()), {.framing = framing});
      std::string together;
      Buffer buffer;
      bool more = true;
      std::size_t reads = 0;
      while (more) {
        buffer.clear();
        more = stream.read(buffer, want);
        CHECK((buffer.size() >= want || !more));
        together += buffer.view();
        ++reads;
      }
      CHECK(together == whole);
      CHECK(stream.row_count() == 2000);
      CHECK_FALSE(stream.truncated());
      CHECK(reads <= whole.size() / want + 2);
      CHECK_FALSE(stream.read(buffer, want));  // complete stays complete
    }
  }
}

TEST_CASE("read appends to what the buffer holds", "[json_stream]") {
  Pool pool(test::pool_options());
  JsonStream stream(pool.query("select 1 as a", test::within()), {.framing = Framing::kLines});
  Buffer buffer;
  buffer.append("before ");
  while (stream.read(buffer)) {
  }
  CHECK(buffer.view() == "before {\"a\":1}\n");
}

TEST_CASE("an error in the middle leaves no complete document", "[json_stream]") {
  Pool pool(test::pool_options());
  JsonStream stream(pool.query(
      "select 1 / (3000 - i) as q, repeat('x', 100) as x from generate_series(1, 5000) i",
      test::within()));
  Buffer buffer;
  CHECK(test::sqlstate_of([&] {
          while (stream.read(buffer)) {
          }
        }) == "22012");
  CHECK(buffer.view().starts_with("{\"columns\""));
  CHECK(buffer.view().find("row_count") == std::string_view::npos);
  CHECK_FALSE(buffer.view().ends_with("}]}"));
}

TEST_CASE("a moved stream goes on where it was", "[json_stream]") {
  Pool pool(test::pool_options());
  JsonStream first(pool.query("select generate_series(1, 3) as n", test::within()),
                   {.framing = Framing::kLines});
  Buffer buffer;
  CHECK(first.read(buffer, 1));
  JsonStream second(std::move(first));
  while (second.read(buffer)) {
  }
  CHECK(buffer.view() == "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
}

TEST_CASE("a foreign date style still gives valid JSON", "[json_stream]") {
  Pool pool(test::pool_options(2));
  for (const char* style : {"German", "SQL, DMY", "Postgres, MDY", "ISO, YMD"}) {
    CAPTURE(style);
    auto connection = pool.acquire(test::within());
    (void)connection.execute(std::string("set datestyle = '") + style + "'", test::within());
    (void)connection.execute("set timezone = 'UTC'", test::within());
    const std::string line =
        test::json(connection.query(
                       "select '2024-02-01 03:04:05+00'::timestamptz as z, '2024-02-01 "
                       "03:04:05'::timestamp as t, "
                       "'2024-02-01'::date as d, array['2024-02-01 03:04:05+00'::timestamptz] as a",
                       test::within()),
                   {.framing = Framing::kLines});
    Params params;
    params.add_json(line);
    CHECK(test::value(pool, {"select jsonb_typeof($1::jsonb)", params}) == "object");
    CHECK(
        test::value(
            pool,
            {"select string_agg(jsonb_typeof(value), ' ' order by key) from jsonb_each($1::jsonb)",
             params}) == "array string string string");
  }
}

TEST_CASE("append_json() writes a whole answer as JsonStream does", "[json_stream]") {
  Pool pool(test::pool_options());
  const std::string sql =
      "select i, repeat('a \"quote\"', i) as t, array[i::text, null] as a, nullif(i, 2) as n, "
      "repeat(E'long\\n', 30000 * (i % 2)) as l from generate_series(1, 40) i";
  for (const std::string& one : {sql, std::string("create temporary table t (i int)")}) {
    for (const auto rows : {RowShape::kObjects, RowShape::kArrays}) {
      for (const auto framing : {Framing::kDocument, Framing::kLines, Framing::kCsv}) {
        const JsonOptions options{.rows = rows, .framing = framing};
        Buffer buffer;
        buffer.append("before ");
        query::append_json(buffer, pool.execute(one, test::within()), options);
        CHECK(buffer.view() == "before " + test::json(pool, one, options));
      }
    }
  }
  Buffer cut;
  query::append_json(cut, pool.execute(kThree, at_most(2)), {.rows = RowShape::kArrays});
  CHECK(cut.view().ends_with(R"("row_count":2,"truncated":true})"));
}
