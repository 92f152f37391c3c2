#include <query/pipeline.hpp>

#include <utility>

#include "pipeline_dialogue.hpp"

namespace query {

Pipeline::Pipeline(Connection connection, Transactions transactions)
    : dialogue_(
          std::make_unique<detail::PipelineDialogue>(std::move(connection.lease_), transactions)) {}
Pipeline::Pipeline(Pipeline&&) noexcept = default;
auto Pipeline::operator=(Pipeline&&) noexcept -> Pipeline& = default;
Pipeline::~Pipeline() = default;

auto Pipeline::submit(Statement statement) -> std::uint64_t {
  return dialogue_->submit(std::move(statement));
}
void Pipeline::advance() { dialogue_->advance(); }
auto Pipeline::next() -> std::optional<PipelineAnswer> { return dialogue_->next(); }
auto Pipeline::socket() const noexcept -> int { return dialogue_->session().socket(); }
auto Pipeline::wants_to_write() const noexcept -> bool { return dialogue_->wants_to_write(); }
auto Pipeline::pending() const noexcept -> std::size_t { return dialogue_->pending(); }
auto Pipeline::usable() const noexcept -> bool { return dialogue_->usable(); }
auto Pipeline::canceller() const -> Canceller {
  return Canceller(dialogue_->session().cancel_target());
}

}  // namespace query
