// A first look at libquery: a pool, a value, a transaction, a stream of JSON.
//   c++ -std=c++20 quickstart.cpp $(pkg-config --cflags --libs query) && ./a.out 'host=/tmp'
#include <iostream>

#include <query/query.hpp>

auto main(int argc, char** argv) -> int {
  try {
    query::Pool pool({.conninfo = argc > 1 ? argv[1] : ""});

    const auto answer = pool.execute({"select $1::int + 1", query::Params::of(41)});
    std::cout << "the answer is " << *answer.get<int>(0, 0) << '\n';

    auto connection = pool.acquire();
    {
      auto transaction = connection.begin();
      transaction.execute("create table if not exists film(id int primary key, title text)");
      transaction.execute({"insert into film values ($1, $2) on conflict do nothing",
                           query::Params::of(1, "Metropolis")});
      transaction.commit();
    }

    query::JsonStream json(connection.query("select id, title from film",
                                            {.deadline = query::after(std::chrono::seconds(5))}));
    query::Buffer buffer;
    for (bool more = true; more;) {
      more = json.read(buffer);
      std::cout << buffer.view();
      buffer.clear();
    }
    std::cout << '\n';
    return 0;
  } catch (const query::SqlError& error) {
    std::cerr << error.sqlstate() << ": " << error.what() << '\n';
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
  }
  return 1;
}
