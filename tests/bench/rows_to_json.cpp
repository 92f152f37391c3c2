// Rows to JSON in memory, on one core: libquery beside a copy of the same bytes and beside building
// an nlohmann::json and dumping it. Prints one JSON object; times are the median of the rounds.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <query/buffer.hpp>
#include <query/json.hpp>
#include <query/pool.hpp>

namespace {

using Clock = std::chrono::steady_clock;

/// Several times over, so that each finds its data where it left them, not where the one before
/// did.
auto seconds_of(const std::function<void()>& work) -> double {
  constexpr int kTimes = 5;
  work();
  const auto start = Clock::now();
  for (int i = 0; i < kTimes; ++i) {
    work();
  }
  return std::chrono::duration<double>(Clock::now() - start).count() / kTimes;
}

auto median(std::vector<double> times) -> double {
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

/// What a user of nlohmann_json would write for int, text and the like.
auto with_nlohmann(const query::Result& result) -> std::string {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const query::Block& block : result.blocks) {
    for (std::size_t row = 0; row < block.rows(); ++row) {
      nlohmann::ordered_json object;
      for (std::size_t i = 0; i < result.columns.size(); ++i) {
        const query::Column& column = result.columns[i];
        auto& value = object[column.name];
        if (block.is_null(row, i)) {
          value = nullptr;
        } else if (column.oid == 16) {
          value = *block.get<bool>(row, i);
        } else if (column.oid == 20 || column.oid == 23) {
          value = *block.get<std::int64_t>(row, i);
        } else {
          value = block.text(row, i);
        }
      }
      rows.push_back(std::move(object));
    }
  }
  return nlohmann::ordered_json{{"rows", std::move(rows)}}.dump();
}

auto measure(const query::Result& result, int rounds) -> nlohmann::json {
  query::Buffer buffer;
  query::append_json(buffer, result);
  const std::size_t bytes = buffer.size();
  const auto copy = std::make_unique<char[]>(bytes);  // NOLINT(*-avoid-c-arrays)
  std::vector<double> ours;
  std::vector<double> copied;
  std::vector<double> dumped;
  for (int i = 0; i < rounds; ++i) {
    ours.push_back(seconds_of([&] {
      buffer.clear();
      query::append_json(buffer, result);
    }));
    copied.push_back(seconds_of([&] { std::memcpy(copy.get(), buffer.data(), bytes); }));
    dumped.push_back(seconds_of([&] {
      if (with_nlohmann(result).size() < bytes / 2) {
        throw std::logic_error("nlohmann_json wrote too little");
      }
    }));
  }
  if (std::memcmp(copy.get(), buffer.data(), bytes) != 0) {
    throw std::logic_error("the rounds differ");
  }
  const double own = median(ours);
  return {{"bytes", bytes},
          {"megabytes_per_second", static_cast<double>(bytes) / own / 1e6},
          {"to_copy", median(copied) / own},
          {"to_nlohmann", median(dumped) / own}};
}

auto run(const std::string& database, const std::vector<std::string>& queries, int rounds) -> int {
  query::Pool pool({.conninfo = database});
  nlohmann::json report = nlohmann::json::array();
  for (const std::string& sql : queries) {
    report.push_back(measure(pool.execute(sql), rounds));
  }
  std::puts(report.dump().c_str());
  return 0;
}

}  // namespace

auto main(int argc, char** argv) -> int {
  std::string database;
  std::vector<std::string> queries;
  int rounds = 31;
  CLI::App app{"rows to JSON in memory"};
  app.add_option("--database", database)->required();
  app.add_option("--rounds", rounds);
  app.add_option("queries", queries)->required();
  CLI11_PARSE(app, argc, argv);
  try {
    return run(database, queries, rounds);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "rows_to_json: %s\n", error.what());
    return 2;
  }
}
