#include "answer_writer.hpp"

#include <cstring>
#include <utility>

#include "csv_text.hpp"
#include "json_text.hpp"
#include "libpq.hpp"

namespace query::detail {

using Framing = JsonOptions::Framing;
using RowShape = JsonOptions::RowShape;

namespace {

void write_column(Buffer& out, const Column& column, const TypeInfo& type, bool first) {
  out.append(first ? "{\"name\":" : ",{\"name\":");
  append_json_string(out, column.name);
  out.append(",\"type\":");
  if (type.name.empty()) {
    out.append("null");
  } else {
    append_json_string(out, type.name);
  }
  out.append(",\"oid\":");
  out.append(std::to_string(column.oid));
  out.push_back('}');
}

void write_csv_header(Buffer& out, const std::vector<Column>& columns) {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    out.append(i == 0 ? "" : ",");
    append_csv_value(out, columns[i].name, columns.size() == 1);
  }
  if (!columns.empty()) {
    out.append("\r\n");
  }
}

/// Leads are short, and a copy of a fixed size is an instruction or two.
constexpr std::size_t kLeadStep = 16;

/// Room for what stands around a row or between values: commas, a bracket, a line's end.
constexpr std::size_t kFrame = 4;

/// A value longer than this has no room reserved at once.
constexpr std::size_t kLong = std::size_t{64} << 10;

/// The end of a buffer, in pointers of its own: they stay in registers, where the buffer's are read
/// again behind every byte written. There is always room for kFrame bytes between values.
class BufferEnd {
 public:
  explicit BufferEnd(Buffer& out) : out_(out) { take_up(0); }

  /// As Buffer::reserve(), at `at`.
  void reserve(std::size_t count) {
    if (static_cast<std::size_t>(limit_ - at) < count + kFrame) [[unlikely]] {
      commit();
      take_up(count);
    }
  }

  /// Tells the buffer, which others may append to until take_up().
  void commit() { out_.commit(at); }
  void take_up(std::size_t count) {
    at = out_.reserve(count + kFrame);
    limit_ = out_.data() + out_.capacity();
  }

  char* at = nullptr;

 private:
  Buffer& out_;
  const char* limit_ = nullptr;
};

/// libpq's own calls, two for a value: through Block it would be one more.
auto text_at(const PGresult* rows, int row, int column) -> std::string_view {
  return {PQgetvalue(rows, row, column), static_cast<std::size_t>(PQgetlength(rows, row, column))};
}

}  // namespace

void AnswerWriter::begin(Buffer& out, const std::vector<Column>& columns) {
  first_row_ = true;
  fields_.clear();
  for (const Column& column : columns) {
    Field field{type_info(column.oid), lead(column, fields_.empty()), 0};
    field.lead_size = field.lead.size();
    field.lead.resize((field.lead_size + kLeadStep - 1) / kLeadStep * kLeadStep);
    fields_.push_back(std::move(field));
  }
  if (options_.framing == Framing::kCsv) {
    write_csv_header(out, columns);
  } else if (options_.framing == Framing::kDocument) {
    out.append("{\"columns\":[");
    for (std::size_t i = 0; i < columns.size(); ++i) {
      write_column(out, columns[i], fields_[i].type, i == 0);
    }
    out.append("],\"rows\":[");
  }
}

/// `{"id":` or `,"name":` in objects, `[` or `,` in arrays.
auto AnswerWriter::lead(const Column& column, bool first) const -> std::string {
  if (options_.rows == RowShape::kArrays) {
    return first ? "[" : ",";
  }
  Buffer escaped;
  append_json_string(escaped, column.name);
  return (first ? "{" : ",") + std::string(escaped.view()) + ":";
}

void AnswerWriter::write(Buffer& out, const Block& block) {
  if (options_.framing == Framing::kCsv) {
    write_csv_rows(out, block);
  } else {
    write_json_rows(out, block);
  }
}

void AnswerWriter::write_json_rows(Buffer& out, const Block& block) {
  const bool document = options_.framing == Framing::kDocument;
  const bool objects = options_.rows == RowShape::kObjects;
  const PGresult* const rows = block.handle();
  const int row_count = static_cast<int>(block.rows());
  BufferEnd end(out);
  for (int row = 0; row < row_count; ++row) {
    if (document && !std::exchange(first_row_, false)) {
      *end.at++ = ',';
    }
    if (fields_.empty()) {
      *end.at++ = objects ? '{' : '[';
    }
    int column = 0;
    for (const Field& field : fields_) {
      const std::string_view text = text_at(rows, row, column);
      const bool fits = text.size() < kLong;
      end.reserve(field.lead.size() + most_json(fits ? text.size() : 0));
      for (std::size_t at = 0; at < field.lead_size; at += kLeadStep) {
        std::memcpy(end.at + at, field.lead.data() + at, kLeadStep);
      }
      end.at += field.lead_size;
      if (text.empty() && PQgetisnull(rows, row, column) != 0) {
        end.at = copy(end.at, "null");
      } else if (fits) {
        end.at = write_json_value(end.at, text, field.type, options_);
      } else {
        end.commit();
        append_json_value(out, text, field.type, options_);
        end.take_up(0);
      }
      ++column;
    }
    *end.at++ = objects ? '}' : ']';
    if (!document) {
      *end.at++ = '\n';
    }
    end.reserve(0);
  }
  end.commit();
}

void AnswerWriter::write_csv_rows(Buffer& out, const Block& block) const {
  const PGresult* const rows = block.handle();
  const int row_count = static_cast<int>(block.rows());
  const int width = static_cast<int>(fields_.size());
  BufferEnd end(out);
  for (int row = 0; row < row_count; ++row) {
    for (int column = 0; column < width; ++column) {
      const std::string_view text = text_at(rows, row, column);
      const bool fits = text.size() < kLong;
      end.reserve(most_csv(fits ? text.size() : 0));
      if (column > 0) {
        *end.at++ = ',';
      }
      if (text.empty() && PQgetisnull(rows, row, column) != 0) {
        continue;  // NULL is nothing, an empty text is ""
      }
      if (fits) {
        end.at = write_csv_value(end.at, text, width == 1);
      } else {
        end.commit();
        append_csv_value(out, text, width == 1);
        end.take_up(0);
      }
    }
    *end.at++ = '\r';
    *end.at++ = '\n';
    end.reserve(0);
  }
  end.commit();
}

void AnswerWriter::end(Buffer& out, std::string_view command, std::optional<std::uint64_t> affected,
                       bool truncated) const {
  if (options_.framing != Framing::kDocument) {
    return;
  }
  out.append("],\"command\":");
  append_json_string(out, command);
  out.append(",\"row_count\":");
  out.append(affected ? std::to_string(*affected) : "null");
  out.append(truncated ? ",\"truncated\":true}" : "}");
}

}  // namespace query::detail
