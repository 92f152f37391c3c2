// corpus_dump FILE: runs every case of a corpus through JsonStream and writes, for each, a line
// with the length and the name, the bytes, and a line feed. LIBQUERY_TEST_DSN names the database.
//
// A case is {"name", "sql" or "batch", "params", "rows", "numbers", "framing", "max_rows",
// "read_only", "isolation"}; each of the params is a string that holds the parameter's JSON text,
// so that no reader's idea of a number comes between the file and the database.

#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include <query/query.hpp>

namespace {

using Json = nlohmann::json;
using query::JsonOptions;

template <class T>
auto choice(const Json& test, const char* member, const std::map<std::string, T>& values,
            T otherwise) -> T {
  return test.contains(member) ? values.at(test.at(member).get<std::string>()) : otherwise;
}

auto params_of(const Json& test) -> query::Params {
  query::Params params;
  for (const auto& param : test.value("params", Json::array())) {
    const auto text = param.get<std::string>();
    switch (text.at(0)) {
      case 'n':
        params.add(nullptr);
        break;
      case 't':
      case 'f':
        params.add(text == "true");
        break;
      case '"':
        params.add(Json::parse(text).get<std::string>());
        break;
      case '[':
      case '{':
        params.add_json(text);
        break;
      default:
        params.add(text);  // a number, exactly as it is written
    }
  }
  return params;
}

auto statement_of(const Json& test) -> query::Statement {
  return {test.at("sql").get<std::string>(), params_of(test)};
}

auto rows_of(query::Pool& pool, const Json& test) -> query::Rows {
  query::QueryOptions options;
  options.deadline = query::after(std::chrono::seconds(60));
  options.read_only = test.value("read_only", false);
  options.max_rows = test.value("max_rows", options.max_rows);
  if (!test.contains("batch")) {
    return pool.query(statement_of(test), options);
  }
  std::vector<query::Statement> statements;
  for (const auto& statement : test.at("batch")) {
    statements.push_back(statement_of(statement));
  }
  query::TransactionOptions transaction;
  transaction.isolation =
      choice<query::Isolation>(test, "isolation",
                               {{"read committed", query::Isolation::kReadCommitted},
                                {"repeatable read", query::Isolation::kRepeatableRead},
                                {"serializable", query::Isolation::kSerializable}},
                               query::Isolation::kDefault);
  return pool.query_batch(statements, transaction, options);
}

auto options_of(const Json& test) -> JsonOptions {
  using Shape = JsonOptions::RowShape;
  using Numbers = JsonOptions::Numbers;
  using Framing = JsonOptions::Framing;
  JsonOptions options;
  options.rows = choice<Shape>(
      test, "rows", {{"objects", Shape::kObjects}, {"arrays", Shape::kArrays}}, options.rows);
  options.numbers = choice<Numbers>(
      test, "numbers", {{"exact", Numbers::kExact}, {"string", Numbers::kString}}, options.numbers);
  options.framing = choice<Framing>(
      test, "framing",
      {{"document", Framing::kDocument}, {"lines", Framing::kLines}, {"csv", Framing::kCsv}},
      options.framing);
  return options;
}

void dump(const std::string& path) {
  const char* dsn = std::getenv("LIBQUERY_TEST_DSN");
  if (dsn == nullptr) {
    throw std::runtime_error("LIBQUERY_TEST_DSN is not set");
  }
  query::PoolOptions pool_options;
  pool_options.conninfo = dsn;
  query::Pool pool(pool_options);
  std::ifstream file(path);
  for (const auto& test : Json::parse(file)) {
    query::Buffer bytes;
    query::JsonStream stream(rows_of(pool, test), options_of(test));
    while (stream.read(bytes)) {
    }
    std::cout << bytes.size() << ' ' << test.at("name").get<std::string>() << '\n'
              << bytes.view() << '\n';
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 2) {
      throw std::runtime_error("usage: corpus_dump FILE");
    }
    dump(argv[1]);
    std::cout.flush();
    return std::cout ? EXIT_SUCCESS : EXIT_FAILURE;
  } catch (const std::exception& error) {
    std::cerr << "corpus_dump: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
