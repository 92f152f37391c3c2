#include "statement_history.hpp"

#include <utility>

namespace query::server {
namespace {

constexpr std::size_t kLongest = std::size_t{16} << 10;
constexpr std::size_t kGeneration = 256;  // records of a shard's generation

}  // namespace

auto StatementHistory::find(std::string_view sql) -> std::shared_ptr<StatementRecord> {
  if (sql.size() > kLongest) {
    return nullptr;
  }
  Shard& shard = shards_[Hash{}(sql) % shards_.size()];
  const std::scoped_lock lock(shard.mutex);
  if (const auto found = shard.young.find(sql); found != shard.young.end()) {
    return found->second;
  }
  if (shard.young.size() >= kGeneration) {
    shard.old = std::exchange(shard.young, {});
  }
  const auto found = shard.old.find(sql);
  auto record = found != shard.old.end() ? found->second : std::make_shared<StatementRecord>();
  shard.young.emplace(sql, record);
  return record;
}

}  // namespace query::server
