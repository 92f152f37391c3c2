#include <query/pool.hpp>

#include <utility>

#include "lease.hpp"

namespace query {

Pool::Pool(const PoolOptions& options) : core_(std::make_shared<detail::PoolCore>(options)) {}
Pool::~Pool() { close(); }

auto Pool::acquire(const QueryOptions& options) -> Connection {
  return Connection(core_->acquire(options));
}

auto Pool::query(const Statement& statement, const QueryOptions& options) -> Rows {
  return acquire(options).query(statement, options);
}

auto Pool::execute(const Statement& statement, const QueryOptions& options) -> Result {
  return acquire(options).execute(statement, options);
}

auto Pool::query_batch(std::span<const Statement> statements, const TransactionOptions& transaction,
                       const QueryOptions& options) -> Rows {
  return acquire(options).query_batch(statements, transaction, options);
}

auto Pool::leaves_no_trace(std::string_view sql) -> bool {
  return core_->proof().leaves_no_trace(sql);
}

auto Pool::catalog_changes() const noexcept -> std::uint64_t { return core_->proof().changes(); }

auto Pool::stats() const -> PoolStats { return core_->stats(); }

void Pool::close() noexcept {
  try {
    core_->pool().close();
  } catch (...) {  // NOLINT(bugprone-empty-catch): a lock that fails, with nobody to tell
  }
}

void Pool::close_idle() noexcept {
  try {
    core_->pool().close_idle();
  } catch (...) {  // NOLINT(bugprone-empty-catch): as above
  }
}

}  // namespace query
