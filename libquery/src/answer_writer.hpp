#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <query/buffer.hpp>
#include <query/json.hpp>
#include <query/result.hpp>

#include "json_type.hpp"

namespace query::detail {

/// Writes answers, one after the other: begin(), its rows in blocks, end(). Keeps what is the same
/// for every row: each column's type and the text in front of its value.
class AnswerWriter {
 public:
  explicit AnswerWriter(const JsonOptions& options) : options_(options) {}

  void begin(Buffer& out, const std::vector<Column>& columns);
  void write(Buffer& out, const Block& block);
  void end(Buffer& out, std::string_view command, std::optional<std::uint64_t> affected,
           bool truncated) const;

 private:
  /// What is the same for every value of a column.
  struct Field {
    TypeInfo type;
    std::string lead;  // what stands before the value, padded for copies of kLeadStep bytes
    std::size_t lead_size;
  };

  [[nodiscard]] auto lead(const Column& column, bool first) const -> std::string;
  void write_json_rows(Buffer& out, const Block& block);
  void write_csv_rows(Buffer& out, const Block& block) const;

  JsonOptions options_;
  bool first_row_ = true;
  std::vector<Field> fields_;
};

}  // namespace query::detail
