#pragma once

#include <libpq-fe.h>

#include <memory>

#include <query/result.hpp>

namespace query::detail {

struct ConnectionDeleter {
  void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
};
using ConnectionHandle = std::unique_ptr<PGconn, ConnectionDeleter>;

struct ConninfoDeleter {
  void operator()(PQconninfoOption* options) const noexcept { PQconninfoFree(options); }
};
using ConninfoHandle = std::unique_ptr<PQconninfoOption, ConninfoDeleter>;

struct MemoryDeleter {
  void operator()(void* memory) const noexcept { PQfreemem(memory); }
};
template <class T>
using MemoryHandle = std::unique_ptr<T, MemoryDeleter>;

}  // namespace query::detail
