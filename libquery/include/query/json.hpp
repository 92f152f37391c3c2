#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <query/buffer.hpp>
#include <query/export.hpp>
#include <query/result.hpp>
#include <query/rows.hpp>

namespace query {

/// How an answer is written.
struct JsonOptions {
  enum class RowShape : std::uint8_t { kObjects, kArrays };
  enum class Numbers : std::uint8_t {
    kExact,   ///< int8 and numeric are JSON numbers with every digit
    kString,  ///< they are quoted, for readers that hold numbers in doubles
  };
  enum class Framing : std::uint8_t {
    kDocument,  ///< {"columns":[…],"rows":[…],"command":"SELECT","row_count":1}
    kLines,     ///< a row a line (NDJSON), nothing else
    kCsv,       ///< RFC 4180 with a header line; values as PostgreSQL's COPY … CSV prints them
  };

  RowShape rows = RowShape::kObjects;
  Numbers numbers = Numbers::kExact;
  Framing framing = Framing::kDocument;
};

/// Turns an answer into JSON while it arrives, in constant memory, with the text that
/// PostgreSQL's own to_json() gives each value. Three differences, each curable by a cast in the
/// SQL (`to_jsonb(x)`, `x::text[]`): composite values, arrays of types that are not built in, and
/// types with a cast to json of their own (hstore) are printed as their PostgreSQL text.
///
/// A batch's document is {"results":[…]}; a batch has no other framing (std::invalid_argument).
/// One thread at a time.
class QUERY_EXPORT JsonStream {
 public:
  explicit JsonStream(Rows rows, JsonOptions options = {});
  JsonStream(JsonStream&&) noexcept;
  auto operator=(JsonStream&&) noexcept -> JsonStream&;
  JsonStream(const JsonStream&) = delete;
  auto operator=(const JsonStream&) -> JsonStream& = delete;
  ~JsonStream();

  /// Appends the next part to `out`, stopping soon after it holds `want` bytes; false when the
  /// answer is complete and its effects are final. Throws as Rows::next(); what was appended by
  /// then is not a complete document.
  [[nodiscard]] auto read(Buffer& out, std::size_t want = std::size_t{64} << 10) -> bool;

  /// Rows written so far, of all statements.
  [[nodiscard]] auto row_count() const noexcept -> std::uint64_t;

  /// QueryOptions::max_rows cut an answer.
  [[nodiscard]] auto truncated() const noexcept -> bool;

 private:
  class Writer;
  std::unique_ptr<Writer> writer_;
};

/// Appends a whole answer: what JsonStream writes of the same rows. Thread-safe for different
/// buffers. Throws std::bad_alloc.
QUERY_EXPORT void append_json(Buffer& out, const Result& result, const JsonOptions& options = {});

}  // namespace query
