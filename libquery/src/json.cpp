#include <query/json.hpp>

#include <stdexcept>
#include <utility>

#include "answer_writer.hpp"

namespace query {

/// What was written last tells what comes next: the answer's head, its rows, its tail, and in a
/// batch the next answer.
class JsonStream::Writer {
 public:
  Writer(Rows rows, const JsonOptions& options) : rows_(std::move(rows)), answer_(options) {
    if (rows_.is_batch() && options.framing != JsonOptions::Framing::kDocument) {
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
        answer_.begin(out, rows_.columns());
        stage_ = Stage::kRows;
        break;
      case Stage::kRows:
        if (const auto block = rows_.next()) {
          answer_.write(out, *block);
          row_count_ += block->rows();
        } else {
          stage_ = Stage::kTail;
        }
        break;
      case Stage::kTail:
        truncated_ = truncated_ || rows_.truncated();
        answer_.end(out, rows_.command(), rows_.affected(), rows_.truncated());
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

  Rows rows_;
  detail::AnswerWriter answer_;
  Stage stage_ = Stage::kStart;
  bool truncated_ = false;
  std::uint64_t row_count_ = 0;
};

JsonStream::JsonStream(Rows rows, JsonOptions options)
    : writer_(std::make_unique<Writer>(std::move(rows), options)) {}
JsonStream::JsonStream(JsonStream&&) noexcept = default;
auto JsonStream::operator=(JsonStream&&) noexcept -> JsonStream& = default;
JsonStream::~JsonStream() = default;

auto JsonStream::read(Buffer& out, std::size_t want) -> bool { return writer_->read(out, want); }
auto JsonStream::row_count() const noexcept -> std::uint64_t { return writer_->row_count(); }
auto JsonStream::truncated() const noexcept -> bool { return writer_->truncated(); }

void append_json(Buffer& out, const Result& result, const JsonOptions& options) {
  detail::AnswerWriter answer(options);
  answer.begin(out, result.columns);
  for (const Block& block : result.blocks) {
    answer.write(out, block);
  }
  answer.end(out, result.command, result.affected, result.truncated);
}

}  // namespace query
