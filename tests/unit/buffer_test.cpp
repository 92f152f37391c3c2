#include <query/buffer.hpp>

#include <cstring>
#include <random>
#include <string>
#include <utility>

#include "catch.hpp"

using query::Buffer;

TEST_CASE("a new buffer is empty and owns nothing", "[buffer]") {
  const Buffer buffer;
  CHECK(buffer.empty());
  CHECK(buffer.size() == 0);
  CHECK(buffer.capacity() == 0);
  CHECK(buffer.view().empty());
}

TEST_CASE("what is written between reserve and commit is kept, the rest is not", "[buffer]") {
  Buffer buffer;
  char* out = buffer.reserve(100);
  REQUIRE(buffer.capacity() >= 100);
  std::memcpy(out, "hello, world", 12);
  CHECK(buffer.empty());  // nothing counts before it is committed
  buffer.commit(out + 5);
  CHECK(buffer.view() == "hello");
  out = buffer.reserve(1);
  *out = '!';
  buffer.commit(out + 1);
  CHECK(buffer.view() == "hello!");
}

TEST_CASE("appending nothing is allowed at any time", "[buffer]") {
  Buffer buffer;
  buffer.append("");
  buffer.append(std::string_view());
  CHECK(buffer.empty());
  buffer.append("x");
  buffer.append(std::string_view());
  CHECK(buffer.view() == "x");
}

TEST_CASE("clear forgets the bytes and keeps the memory", "[buffer]") {
  Buffer buffer;
  buffer.append(std::string(1000, 'a'));
  const std::size_t capacity = buffer.capacity();
  buffer.clear();
  CHECK(buffer.empty());
  CHECK(buffer.capacity() == capacity);
  buffer.append("b");
  CHECK(buffer.view() == "b");
}

TEST_CASE("a moved buffer takes its bytes along", "[buffer]") {
  Buffer buffer;
  buffer.append("kept");
  const Buffer moved = std::move(buffer);
  CHECK(moved.view() == "kept");
}

TEST_CASE("random appends, pushes and reserves equal a string's", "[buffer]") {
  std::mt19937 random(20240607);
  Buffer buffer;
  std::string expected;
  for (int round = 0; round < 20'000; ++round) {
    const auto byte = static_cast<char>(random() % 256);
    switch (random() % 4) {
      case 0:
        buffer.push_back(byte);
        expected.push_back(byte);
        break;
      case 1: {
        const std::string text(random() % 300, byte);
        buffer.append(text);
        expected += text;
        break;
      }
      case 2: {  // less written than reserved
        const std::size_t count = random() % 50;
        char* out = buffer.reserve(count + random() % 500);
        std::memset(out, byte, count);
        buffer.commit(out + count);
        expected.append(count, byte);
        break;
      }
      default:
        if (random() % 500 == 0) {
          buffer.clear();
          expected.clear();
        }
    }
    REQUIRE(buffer.size() == expected.size());
    REQUIRE(buffer.size() <= buffer.capacity());
  }
  CHECK(buffer.view() == expected);
}

TEST_CASE("growth is geometric, so that a million pushes do not copy quadratically", "[buffer]") {
  Buffer buffer;
  std::size_t growths = 0;
  std::size_t capacity = 0;
  for (int i = 0; i < 1'000'000; ++i) {
    buffer.push_back('x');
    if (buffer.capacity() != capacity) {
      capacity = buffer.capacity();
      ++growths;
    }
  }
  CHECK(growths < 40);
  CHECK(buffer.size() == 1'000'000);
}
