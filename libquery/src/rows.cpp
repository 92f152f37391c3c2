#include <query/rows.hpp>

#include <utility>

#include "answer.hpp"

namespace query {

Rows::Rows(std::unique_ptr<detail::Answer> answer) noexcept : answer_(std::move(answer)) {}
Rows::Rows(Rows&&) noexcept = default;
auto Rows::operator=(Rows&&) noexcept -> Rows& = default;
Rows::~Rows() = default;

auto Rows::columns() const noexcept -> const std::vector<Column>& { return answer_->columns(); }
auto Rows::next() -> std::optional<Block> { return answer_->next(); }
auto Rows::command() const noexcept -> const std::string& { return answer_->command(); }
auto Rows::affected() const noexcept -> std::optional<std::uint64_t> { return answer_->affected(); }
auto Rows::truncated() const noexcept -> bool { return answer_->truncated(); }
auto Rows::is_batch() const noexcept -> bool { return answer_->is_batch(); }
auto Rows::at_statement() const noexcept -> bool { return answer_->at_statement(); }
auto Rows::next_statement() -> bool { return answer_->next_statement(); }

auto Rows::collect() -> Result {
  Result result;
  result.columns = columns();
  while (auto block = next()) {
    result.blocks.push_back(std::move(*block));
  }
  result.command = command();
  result.affected = affected();
  result.truncated = truncated();
  return result;
}

}  // namespace query
