#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <query/json.hpp>
#include <query/options.hpp>
#include <query/statement.hpp>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace query::server {

/// What a client asks for, as it wrote it; the server's own limits are not applied yet.
struct QueryRequest {
  std::vector<Statement> statements;  ///< exactly one unless `batch`
  bool batch = false;
  JsonOptions::RowShape rows = JsonOptions::RowShape::kObjects;
  JsonOptions::Numbers numbers = JsonOptions::Numbers::kExact;
  std::optional<std::chrono::milliseconds> timeout;
  bool read_only = false;
  Isolation isolation = Isolation::kDefault;
  std::optional<std::uint64_t> max_rows;
};

/// The client's mistake, in words meant for the client.
class BadRequest : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The body of POST /query: a JSON object where its first non-blank byte is `{`, else the text of
/// one SQL statement. Numbers reach their parameter exactly as written. Throws BadRequest.
[[nodiscard]] auto parse_request(std::string_view body) -> QueryRequest;

}  // namespace query::server
