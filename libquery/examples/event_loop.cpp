// Many statements under way on one connection, from an event loop of one's own: here plain poll().
//   c++ -std=c++20 event_loop.cpp $(pkg-config --cflags --libs query) && ./a.out 'host=/tmp'
#include <poll.h>

#include <cstdint>
#include <exception>
#include <iostream>

#include <query/query.hpp>

auto main(int argc, char** argv) -> int {
  try {
    query::Pool pool({.conninfo = argc > 1 ? argv[1] : ""});
    query::Pipeline pipeline(pool.acquire());

    for (int i = 1; i <= 1000; ++i) {
      pipeline.submit({"select 1000 / ($1::int % 100)", query::Params::of(i)});
    }

    std::int64_t sum = 0;
    int errors = 0;
    pipeline.advance();
    while (pipeline.pending() > 0) {
      pollfd wait{pipeline.socket(), POLLIN, 0};
      if (pipeline.wants_to_write()) {
        wait.events |= POLLOUT;
      }
      if (::poll(&wait, 1, 5000) == 0) {
        std::cerr << "no answer for five seconds\n";
        return 1;
      }
      pipeline.advance();
      while (auto answer = pipeline.next()) {
        try {
          if (answer->error) {
            std::rethrow_exception(answer->error);
          }
          sum += *answer->result.get<std::int64_t>(0, 0);
        } catch (const query::SqlError& error) {  // 100, 200 … divide by zero
          ++errors;
        }
      }
    }
    std::cout << "the sum is " << sum << ", and " << errors << " could not be divided\n";
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
  }
  return 1;
}
