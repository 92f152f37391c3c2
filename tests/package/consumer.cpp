#include <query/query.hpp>

#include <iostream>

// Needs no database: that it compiles, links and starts is the test.
auto main() -> int {
  query::Buffer buffer;
  buffer.append(query::kVersion);
  const query::Pool pool({.conninfo = "host=/nonexistent"});
  std::cout << buffer.view() << ' ' << pool.stats().size << ' '
            << query::Column{.name = "id", .oid = 23}.type() << '\n';
}
