#pragma once

#include <cstdint>
#include <functional>
#include <limits>

#include <query/deadline.hpp>

namespace query {

/// What may be said of a query beside its text. The defaults are those of a plain query.
struct QueryOptions {
  /// From the call to the last row. When it passes, the statement is cancelled.
  Deadline deadline = never;

  /// Run in a READ ONLY transaction that the statement cannot leave. A fence against accidents;
  /// against intent, connect as a role that cannot write (PostgreSQL manual, SET TRANSACTION).
  bool read_only = false;

  /// Stop after this many rows; `truncated()` then says that there were more. A statement that is
  /// not `read_only` is still run to its end, so that its effects are kept; its rows are dropped.
  std::uint64_t max_rows = std::numeric_limits<std::uint64_t>::max();

  /// Asked about ten times a second while waiting; true ends the wait with Interrupted and
  /// cancels the statement. For a caller whose own client may hang up. Called by the waiting
  /// thread; must not throw.
  std::function<bool()> interrupted{};
};

enum class Isolation { kDefault, kReadCommitted, kRepeatableRead, kSerializable };

/// How a transaction begins. PostgreSQL manual, BEGIN.
struct TransactionOptions {
  Isolation isolation = Isolation::kDefault;
  bool read_only = false;
  bool deferrable = false;  ///< acts only with kSerializable and read_only
};

}  // namespace query
