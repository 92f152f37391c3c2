#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace query::detail {

/// What a JSON parameter becomes, by its parameter's type.
enum class JsonTarget : std::uint8_t { kText, kArray, kArrayOfJson };

/// A statement that a connection has prepared.
struct PreparedStatement {
  std::string name;
  std::optional<std::vector<JsonTarget>> targets{};  ///< one for each parameter, once asked for
};

/// The statements that one connection has prepared, by their SQL text; the least recently used
/// leave. Knows nothing of libpq; not thread-safe. Pointers to statements are stable until the
/// statement is erased.
class StatementCache {
 public:
  explicit StatementCache(std::size_t capacity) : capacity_(capacity) {}

  [[nodiscard]] auto enabled() const noexcept -> bool { return capacity_ > 0; }
  [[nodiscard]] auto size() const noexcept -> std::size_t { return by_sql_.size(); }

  /// The statement with this text, now the most recently used; null if there is none.
  [[nodiscard]] auto find(std::string_view sql) -> PreparedStatement* {
    const auto found = by_sql_.find(sql);
    if (found == by_sql_.end()) {
      return nullptr;
    }
    entries_.splice(entries_.begin(), entries_, found->second);
    return &entries_.front().statement;
  }

  /// Adds a statement under a name never used before. What falls out goes to evicted().
  auto insert(std::string_view sql) -> PreparedStatement& {
    entries_.push_front({std::string(sql), {.name = "query_" + std::to_string(++counter_)}});
    by_sql_.emplace(entries_.front().sql, entries_.begin());
    if (entries_.size() > capacity_) {
      evicted_.push_back(std::move(entries_.back().statement.name));
      by_sql_.erase(entries_.back().sql);
      entries_.pop_back();
    }
    return entries_.front().statement;
  }

  /// Forgets a statement, if it is there. Its name goes to evicted() where the server may have it.
  enum class OnServer { kNo, kMaybe };
  void erase(std::string_view sql, OnServer on_server) {
    const auto found = by_sql_.find(sql);
    if (found == by_sql_.end()) {
      return;
    }
    const auto entry = found->second;
    if (on_server == OnServer::kMaybe) {
      evicted_.push_back(std::move(entry->statement.name));
    }
    by_sql_.erase(found);
    entries_.erase(entry);
  }

  /// Forgets all; their names go to evicted().
  void clear() {
    for (Entry& entry : entries_) {
      evicted_.push_back(std::move(entry.statement.name));
    }
    by_sql_.clear();
    entries_.clear();
  }

  /// Names that nobody needs any more; the server may still hold them. The caller takes them away.
  [[nodiscard]] auto evicted() noexcept -> std::vector<std::string>& { return evicted_; }

 private:
  struct Entry {
    std::string sql;
    PreparedStatement statement;
  };

  std::size_t capacity_;
  std::uint64_t counter_ = 0;
  std::list<Entry> entries_;
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_sql_;  // views into entries_
  std::vector<std::string> evicted_;
};

}  // namespace query::detail
