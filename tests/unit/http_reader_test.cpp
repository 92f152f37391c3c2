#include "http_reader.hpp"

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "catch.hpp"

using query::server::BrowserPolicy;
using query::server::Incoming;
using query::server::Reply;
using query::server::RequestReader;
using query::server::Route;

namespace {

constexpr std::size_t kMaxBody = 1000;

auto policy() -> const BrowserPolicy& {
  static const BrowserPolicy any(
      {.allow_origins = {}, .only_local_hosts = false, .listen_host = {}});
  return any;
}

/// What a request came to, in one line.
auto told(const Incoming& incoming) -> std::string {
  const std::string what = incoming.head.method + " " + incoming.head.path + " ";
  if (const auto* reply = std::get_if<Reply>(&incoming.goal)) {
    return what + std::to_string(reply->status) + (incoming.last ? " last" : "");
  }
  return what + "[" + incoming.body + "]";
}

/// Feeds `input` in pieces of the given sizes, the last again and again.
auto read(std::string_view input, const std::vector<std::size_t>& pieces)
    -> std::vector<std::string> {
  RequestReader reader(policy(), kMaxBody);
  std::vector<std::string> requests;
  for (std::size_t i = 0; !input.empty(); ++i) {
    const std::size_t size = std::min(input.size(), pieces[std::min(i, pieces.size() - 1)]);
    reader.feed(input.substr(0, size));
    input.remove_prefix(size);
    while (auto incoming = reader.next()) {
      requests.push_back(told(*incoming));
    }
  }
  return requests;
}

auto post(std::string_view fields, std::string_view body) -> std::string {
  return "POST /query HTTP/1.1\r\nHost: x\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

auto plain(std::string_view body) -> std::string {
  return post("Content-Length: " + std::to_string(body.size()) + "\r\n", body);
}

auto chunked(std::string_view body) -> std::string {
  return post("Transfer-Encoding: chunked\r\n", body);
}

}  // namespace

TEST_CASE("requests are the same however their bytes are cut", "[http_reader]") {
  const std::string input =
      plain("select 1") + "\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n" +
      chunked("5;name=value\r\nselec\r\n3 \r\nt 2\r\n0\r\nTrailer: t\r\n\r\n") +
      "GET /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nskip" + plain("") +
      plain(std::string(kMaxBody, 'x')) + plain("select 3");
  const std::vector<std::string> expected = {
      "POST /query [select 1]", "GET /livez []",
      "POST /query [select 2]", "GET /nowhere 404",
      "POST /query []",         "POST /query [" + std::string(kMaxBody, 'x') + "]",
      "POST /query [select 3]"};
  CHECK(read(input, {input.size()}) == expected);
  CHECK(read(input, {1}) == expected);
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::size_t> pieces;
    for (int i = 0; i < 50; ++i) {
      pieces.push_back(1 + random() % 90);
    }
    REQUIRE(read(input, pieces) == expected);
  }
}

TEST_CASE("a request that cannot be followed is the last", "[http_reader]") {
  const auto [input, expected] = GENERATE(table<std::string, std::string>({
      {"nonsense\r\n\r\n", "  400 last"},
      {"GET / HTTP/1.1\n\n", "  400 last"},
      {"GET /" + std::string(9000, 'a') + " HTTP/1.1\r\n\r\n", "  414 last"},
      {"GET / HTTP/1.1\r\nA: " + std::string(40000, 'a'), "  431 last"},
      {chunked("zz\r\n"), "POST /query 400 last"},
      {chunked("-1\r\n"), "POST /query 400 last"},
      {chunked("1\r\nab\r\n"), "POST /query 400 last"},
      {chunked("1\nab"), "POST /query 400 last"},
      {chunked(std::string(5000, '0')), "POST /query 400 last"},
      {chunked("fffffffffffffffff\r\n"), "POST /query 400 last"},
      {chunked("3e9\r\n" + std::string(0x3e9, 'x')), "POST /query 413 last"},
      {post("Content-Length: 1001\r\n", ""), "POST /query 413"},
      {post("Content-Length: 99999999\r\n", ""), "POST /query 413 last"},
      {post("Content-Length: 1001\r\nExpect: 100-continue\r\n", ""), "POST /query 413 last"},
      {"GET /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
       "GET /livez 413 last"},
  }));
  CAPTURE(input.substr(0, 100));
  const auto requests = read(input + plain("select 1"), {7});
  REQUIRE(!requests.empty());
  CHECK(requests.front() == expected);
  CHECK((requests.size() == 1) == (expected.ends_with("last") || input.ends_with("1001\r\n\r\n")));
}

TEST_CASE("chunks of nothing but framing have an end", "[http_reader]") {
  std::string input = chunked("");
  for (int i = 0; i < 10000; ++i) {
    input += "1;" + std::string(100, 'e') + "\r\nx\r\n";
  }
  CHECK(read(input, {512}) == std::vector<std::string>{"POST /query 400 last"});
}

TEST_CASE("a client that waits for 100 Continue is owed it once", "[http_reader]") {
  RequestReader reader(policy(), kMaxBody);
  const auto feed = [&reader](std::string_view bytes) {
    reader.feed(bytes);
    return reader.next();
  };
  CHECK(!feed(post("Content-Length: 3\r\nExpect: 100-continue\r\n", "")));
  CHECK(reader.midway());
  CHECK(reader.owes_continue());
  CHECK(!reader.owes_continue());
  const auto incoming = feed("abc");
  REQUIRE(incoming);
  CHECK(incoming->body == "abc");
  CHECK(!reader.midway());
  CHECK(feed(post("Content-Length: 3\r\nExpect: 100-continue\r\n", "abc")));
  CHECK(!reader.owes_continue());  // it did not wait
}
