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

/// A value longer than this has no room reserved at once.
constexpr std::size_t kLong = std::size_t{64} << 10;

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
  for (std::size_t row = 0; row < block.rows(); ++row) {
    switch (options_.framing) {
      case Framing::kDocument:
        if (!std::exchange(first_row_, false)) {
          out.push_back(',');
        }
        write_json_row(out, block, row);
        break;
      case Framing::kLines:
        write_json_row(out, block, row);
        out.push_back('\n');
        break;
      case Framing::kCsv:
        write_csv_row(out, block, row);
        break;
    }
  }
}

void AnswerWriter::write_json_row(Buffer& out, const Block& block, std::size_t row) const {
  const bool objects = options_.rows == RowShape::kObjects;
  if (fields_.empty()) {
    out.append(objects ? "{}" : "[]");
    return;
  }
  // libpq's own calls, two for a value: through Block it would be one more.
  const PGresult* const rows = block.handle();
  const int row_number = static_cast<int>(row);
  int column = 0;
  for (const Field& field : fields_) {
    const char* const value = PQgetvalue(rows, row_number, column);
    const auto size = static_cast<std::size_t>(PQgetlength(rows, row_number, column));
    char* next = out.reserve(field.lead.size() + most_json(size < kLong ? size : 0));
    for (std::size_t at = 0; at < field.lead_size; at += kLeadStep) {
      std::memcpy(next + at, field.lead.data() + at, kLeadStep);
    }
    next += field.lead_size;
    if (size == 0 && PQgetisnull(rows, row_number, column) != 0) {
      out.commit(copy(next, "null"));
    } else if (size < kLong) {
      out.commit(write_json_value(next, {value, size}, field.type, options_));
    } else {
      out.commit(next);
      append_json_value(out, {value, size}, field.type, options_);
    }
    ++column;
  }
  out.push_back(objects ? '}' : ']');
}

void AnswerWriter::write_csv_row(Buffer& out, const Block& block, std::size_t row) const {
  const std::size_t width = fields_.size();
  for (std::size_t i = 0; i < width; ++i) {
    if (i > 0) {
      out.push_back(',');
    }
    const std::string_view text = block.text(row, i);
    if (!text.empty() || !block.is_null(row, i)) {  // NULL is nothing, an empty text is ""
      append_csv_value(out, text, width == 1);
    }
  }
  out.append("\r\n");
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
