#include <query/json.hpp>

#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "json_text.hpp"

namespace query {

using detail::TypeInfo;
using Framing = JsonOptions::Framing;
using RowShape = JsonOptions::RowShape;

/// What was written last tells what comes next: the answer's head, its rows, its tail, and in a
/// batch the next answer.
class JsonStream::Writer {
 public:
  Writer(Rows rows, JsonOptions options) : rows_(std::move(rows)), options_(options) {
    if (rows_.is_batch() && options_.framing != Framing::kDocument) {
      throw std::invalid_argument("a batch has several answers: its only framing is a document");
    }
  }

  auto read(Buffer& out, std::size_t want) -> bool {
    const std::size_t enough = out.size() + want;
    while (stage_ != Stage::kDone && out.size() < enough) {
      step(out);
    }
    return stage_ != Stage::kDone;
  }

  [[nodiscard]] auto row_count() const noexcept -> std::uint64_t { return row_count_; }
  [[nodiscard]] auto truncated() const noexcept -> bool { return truncated_; }

 private:
  enum class Stage { kStart, kHead, kRows, kTail, kEnd, kDone };

  void step(Buffer& out) {
    switch (stage_) {
      case Stage::kStart:
        if (rows_.is_batch()) {
          out.append("{\"results\":[");
          stage_ = rows_.at_statement() ? Stage::kHead : Stage::kEnd;
        } else {
          stage_ = Stage::kHead;
        }
        break;
      case Stage::kHead:
        begin_answer(out);
        stage_ = Stage::kRows;
        break;
      case Stage::kRows:
        if (const auto block = rows_.next()) {
          write_rows(out, *block);
        } else {
          stage_ = Stage::kTail;
        }
        break;
      case Stage::kTail:
        end_answer(out);
        if (!rows_.is_batch()) {
          stage_ = Stage::kDone;
        } else if (rows_.next_statement()) {
          out.push_back(',');
          stage_ = Stage::kHead;
        } else {
          stage_ = Stage::kEnd;
        }
        break;
      case Stage::kEnd:
        out.append("]}");
        stage_ = Stage::kDone;
        break;
      case Stage::kDone:
        break;
    }
  }

  void begin_answer(Buffer& out) {
    const auto& columns = rows_.columns();
    first_row_ = true;
    types_.clear();
    keys_.clear();
    for (const Column& column : columns) {
      types_.push_back(detail::type_info(column.oid));
      keys_.push_back(key(column, keys_.empty()));
    }
    if (options_.framing == Framing::kCsv) {
      write_csv_header(out);
    } else if (options_.framing == Framing::kDocument) {
      out.append("{\"columns\":[");
      for (std::size_t i = 0; i < columns.size(); ++i) {
        write_column(out, columns[i], types_[i], i == 0);
      }
      out.append("],\"rows\":[");
    }
  }

  /// What stands before a column's value: `{"id":` or `,"name":` in objects, `[` or `,` in arrays.
  [[nodiscard]] auto key(const Column& column, bool first) const -> std::string {
    if (options_.framing == Framing::kCsv) {
      return first ? "" : ",";
    }
    if (options_.rows == RowShape::kArrays) {
      return first ? "[" : ",";
    }
    Buffer escaped;
    detail::append_json_string(escaped, column.name);
    return (first ? "{" : ",") + std::string(escaped.view()) + ":";
  }

  static void write_column(Buffer& out, const Column& column, const TypeInfo& type, bool first) {
    out.append(first ? "{\"name\":" : ",{\"name\":");
    detail::append_json_string(out, column.name);
    out.append(",\"type\":");
    if (type.name.empty()) {
      out.append("null");
    } else {
      detail::append_json_string(out, type.name);
    }
    out.append(",\"oid\":");
    out.append(std::to_string(column.oid));
    out.push_back('}');
  }

  void write_csv_header(Buffer& out) {
    for (std::size_t i = 0; i < types_.size(); ++i) {
      out.append(keys_[i]);
      detail::append_csv_value(out, rows_.columns()[i].name, types_.size() == 1);
    }
    if (!types_.empty()) {
      out.append("\r\n");
    }
  }

  void write_rows(Buffer& out, const Block& block) {
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
    row_count_ += block.rows();
  }

  void write_json_row(Buffer& out, const Block& block, std::size_t row) {
    const bool objects = options_.rows == RowShape::kObjects;
    const std::size_t width = types_.size();
    if (width == 0) {
      out.append(objects ? "{}" : "[]");
      return;
    }
    for (std::size_t i = 0; i < width; ++i) {
      out.append(keys_[i]);
      const std::string_view text = block.text(row, i);
      if (text.empty() && block.is_null(row, i)) {
        out.append("null");
      } else {
        detail::append_json_value(out, text, types_[i], options_);
      }
    }
    out.push_back(objects ? '}' : ']');
  }

  void write_csv_row(Buffer& out, const Block& block, std::size_t row) {
    const std::size_t width = types_.size();
    for (std::size_t i = 0; i < width; ++i) {
      out.append(keys_[i]);
      const std::string_view text = block.text(row, i);
      if (!text.empty() || !block.is_null(row, i)) {  // NULL is nothing, an empty text is ""
        detail::append_csv_value(out, text, width == 1);
      }
    }
    out.append("\r\n");
  }

  void end_answer(Buffer& out) {
    truncated_ = truncated_ || rows_.truncated();
    if (options_.framing != Framing::kDocument) {
      return;
    }
    out.append("],\"command\":");
    detail::append_json_string(out, rows_.command());
    out.append(",\"row_count\":");
    out.append(rows_.affected() ? std::to_string(*rows_.affected()) : "null");
    out.append(rows_.truncated() ? ",\"truncated\":true}" : "}");
  }

  Rows rows_;
  JsonOptions options_;
  Stage stage_ = Stage::kStart;
  bool first_row_ = true;
  bool truncated_ = false;
  std::uint64_t row_count_ = 0;
  std::vector<TypeInfo> types_;
  std::vector<std::string> keys_;
};

JsonStream::JsonStream(Rows rows, JsonOptions options)
    : writer_(std::make_unique<Writer>(std::move(rows), options)) {}
JsonStream::JsonStream(JsonStream&&) noexcept = default;
auto JsonStream::operator=(JsonStream&&) noexcept -> JsonStream& = default;
JsonStream::~JsonStream() = default;

auto JsonStream::read(Buffer& out, std::size_t want) -> bool { return writer_->read(out, want); }
auto JsonStream::row_count() const noexcept -> std::uint64_t { return writer_->row_count(); }
auto JsonStream::truncated() const noexcept -> bool { return writer_->truncated(); }

}  // namespace query
