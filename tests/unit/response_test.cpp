#include "response.hpp"

#include <nlohmann/json.hpp>
#include <string>

#include "browser.hpp"
#include "catch.hpp"
#include "http_head.hpp"
#include "negotiate.hpp"
#include "request.hpp"

using query::server::Asked;
using query::server::Reply;

namespace {

template <class E>
auto reply_to(const E& error, const Asked& asked = {}) -> Reply {
  return query::server::exception_reply(std::make_exception_ptr(error), asked);
}

auto error_of(const Reply& reply) -> nlohmann::json {
  return nlohmann::json::parse(reply.body).at("error");
}

auto has_header(const Reply& reply, const std::string& name) -> bool {
  for (const auto& [key, value] : reply.headers) {
    if (key == name) {
      return true;
    }
  }
  return false;
}

}  // namespace

TEST_CASE("SQLSTATE decides the status, the most specific rule first") {
  using query::server::status_of;
  for (const char* state :
       {"22012", "22P02", "23502", "23514", "42601", "42P01", "P0001", "0A000", "2D000", "25001",
        "25P01", "3B001", "21000", "54000", "26000", "08P01"}) {
    INFO(state);
    CHECK(status_of(state, false) == 400);
  }
  for (const char* state : {"28000", "42501", "0LP01"}) {
    CHECK(status_of(state, false) == 403);
  }
  for (const char* state :
       {"23000", "23503", "23505", "23P01", "40001", "40P01", "2BP01", "55P03"}) {
    CHECK(status_of(state, false) == 409);
  }
  for (const char* state : {"53300", "53100", "57P01", "57P03", "08006"}) {
    CHECK(status_of(state, false) == 503);
  }
  CHECK(status_of("57014", false) == 504);
  CHECK(status_of("25006", true) == 403);
  CHECK(status_of("25006", false) == 503);  // a server that was demoted
  for (const char* state : {"XX000", "58030", "F0000", "HV000", "", "99999"}) {
    CHECK(status_of(state, false) == 500);
  }
}

TEST_CASE("an error of PostgreSQL carries every field, null where there is none") {
  query::Diagnostics fields;
  fields.severity = "ERROR";
  fields.sqlstate = "23505";
  fields.message = "duplicate key \"x\"";
  fields.detail = "Key (id)=(1) already exists.";
  fields.position = 15;
  fields.schema = "public";
  fields.table = "t";
  fields.constraint = "t_pkey";
  const Reply reply = reply_to(query::SqlError(fields));
  CHECK(reply.status == 409);
  CHECK(reply.code == "23505");
  const auto error = error_of(reply);
  CHECK(error.at("code") == "23505");
  CHECK(error.at("severity") == "ERROR");
  CHECK(error.at("message") == "duplicate key \"x\"");
  CHECK(error.at("detail") == "Key (id)=(1) already exists.");
  CHECK(error.at("hint").is_null());
  CHECK(error.at("position") == 15);
  CHECK(error.at("schema") == "public");
  CHECK(error.at("table") == "t");
  CHECK(error.at("column").is_null());
  CHECK(error.at("constraint") == "t_pkey");
  CHECK_FALSE(error.contains("statement"));
  CHECK_FALSE(error.contains("outcome"));
}

TEST_CASE("an error in a batch names its statement") {
  query::Diagnostics fields;
  fields.sqlstate = "42P01";
  CHECK(error_of(reply_to(query::SqlError(fields, 2), {.read_only = false, .batch = true}))
            .at("statement") == 2);
  CHECK(error_of(reply_to(query::SqlError(fields), {.read_only = false, .batch = true}))
            .at("statement")
            .is_null());  // the COMMIT
}

TEST_CASE("a connection error says nothing of where the database is") {
  const std::string secret = "connection to server at \"db.internal\", user \"bob\" failed";
  const Reply never_sent = reply_to(query::ConnectionError(secret, query::Outcome::kNothingSent));
  CHECK(never_sent.status == 503);
  CHECK(never_sent.code == "unavailable");
  CHECK(has_header(never_sent, "Retry-After"));
  CHECK(never_sent.body.find("db.internal") == std::string::npos);
  CHECK(never_sent.body.find("bob") == std::string::npos);
  CHECK(never_sent.detail == secret);  // for the log

  const Reply lost = reply_to(query::ConnectionError(secret, query::Outcome::kUnknown, "57P01"));
  CHECK(lost.status == 503);
  CHECK(lost.code == "57P01");
  CHECK(error_of(lost).at("outcome") == "unknown");
  CHECK_FALSE(has_header(lost, "Retry-After"));  // repeating might do the work twice
  CHECK(lost.body.find("bob") == std::string::npos);
}

TEST_CASE("our own refusals have words for codes") {
  CHECK(reply_to(query::Busy("full")).status == 503);
  CHECK(reply_to(query::Busy("full")).code == "busy");
  CHECK(has_header(reply_to(query::Busy("full")), "Retry-After"));
  CHECK(reply_to(query::Timeout("late")).status == 504);
  CHECK(reply_to(query::Timeout("late")).code == "timeout");
  CHECK_FALSE(error_of(reply_to(query::Timeout("late"))).contains("outcome"));
  CHECK(error_of(reply_to(query::Timeout("late", query::Outcome::kUnknown))).at("outcome") ==
        "unknown");
  CHECK(reply_to(query::server::BadRequest("x")).status == 400);
  CHECK(reply_to(std::invalid_argument("x")).code == "bad_request");
  const Reply failure = reply_to(std::logic_error("inner workings"));
  CHECK(failure.status == 500);
  CHECK(failure.body.find("inner workings") == std::string::npos);
  CHECK(failure.detail == "inner workings");
}

TEST_CASE("an error's text is always valid JSON") {
  const Reply reply = query::server::error_reply(400, "bad_request", "a\"\\\n\x01\xff é");
  CHECK(error_of(reply).at("message") == "a\"\\\n\x01\xEF\xBF\xBD é");
}

TEST_CASE("Accept chooses the format") {
  using query::server::Format;
  using query::server::negotiate;
  CHECK(negotiate("") == Format::kJson);
  CHECK(negotiate("*/*") == Format::kJson);
  CHECK(negotiate("application/json, text/plain, */*") == Format::kJson);
  CHECK(negotiate("text/html,application/xhtml+xml,*/*;q=0.8") == Format::kJson);
  CHECK(negotiate("text/csv") == Format::kCsv);
  CHECK(negotiate("Text/CSV; charset=utf-8") == Format::kCsv);
  CHECK(negotiate("text/*") == Format::kCsv);
  CHECK(negotiate("text/csv, */*") == Format::kCsv);
  CHECK(negotiate("application/x-ndjson") == Format::kNdjson);
  CHECK(negotiate("application/json;q=0.5, application/x-ndjson;q=0.9") == Format::kNdjson);
  CHECK(negotiate("application/x-ndjson;q=0.1,text/csv;q=0.2") == Format::kCsv);
  CHECK(negotiate("*/*, application/json;q=0") == Format::kNdjson);
  CHECK(negotiate("text/csv, application/x-ndjson") == Format::kCsv);
  CHECK(negotiate("application/x-ndjson, text/csv") == Format::kNdjson);
  CHECK_FALSE(negotiate("image/png").has_value());
  CHECK_FALSE(negotiate("application/json;q=0").has_value());
  CHECK_FALSE(negotiate("text/html").has_value());
}

TEST_CASE("a web page needs its origin on the list, and a name of this machine") {
  using query::server::BrowserPolicy;
  const BrowserPolicy strict({.allow_origins = {"https://App.example.org"},
                              .only_local_hosts = true,
                              .listen_host = "127.0.0.1"});
  CHECK(strict.allows_origin("https://app.example.org"));
  CHECK_FALSE(strict.allows_origin("https://app.example.org.evil.example"));
  CHECK_FALSE(strict.allows_origin("http://app.example.org"));
  CHECK_FALSE(strict.allows_origin("null"));
  for (const char* host : {"localhost", "localhost:8080", "LOCALHOST:1", "127.0.0.1:8080",
                           "[::1]:8080", "app.localhost", "127.1.2.3", "app.example.org"}) {
    INFO(host);
    CHECK(strict.allows_host(host));
  }
  for (const char* host : {"evil.example", "evil.example:8080", "127.0.0.1.evil.example",
                           "localhost.evil.example", "[::2]", "10.0.0.1", ""}) {
    INFO(host);
    CHECK_FALSE(strict.allows_host(host));
  }
  CHECK(strict.allows_host(std::nullopt));
  const BrowserPolicy open({.allow_origins = {"*"}, .only_local_hosts = false, .listen_host = ""});
  CHECK(open.allows_origin("http://anything"));
  CHECK(open.allows_host("query.default.svc"));
  CHECK_FALSE(BrowserPolicy({}).allows_origin("http://localhost:8080"));
}

TEST_CASE("an HTTP head is read strictly") {
  using query::server::Head;
  using query::server::parse_head;
  const auto status = [](const std::string& text) {
    Head head;
    const auto refusal = parse_head(text, head);
    return refusal ? refusal->status : 200;
  };
  const std::string line = "POST /query HTTP/1.1\r\nHost: x\r\n";
  CHECK(status(line + "\r\n") == 200);
  CHECK(status(line + "Content-Length: 5\r\n\r\n") == 200);
  CHECK(status(line + "Transfer-Encoding: Chunked\r\n\r\n") == 200);
  // What two servers in a row might read differently.
  CHECK(status(line + "Content-Length: 5\r\nContent-Length: 5\r\n\r\n") == 400);
  CHECK(status(line + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n") == 400);
  CHECK(status(line + "Content-Length: +5\r\n\r\n") == 400);
  CHECK(status(line + "Content-Length: 5, 5\r\n\r\n") == 400);
  CHECK(status(line + "Content-Length: 99999999999999999999\r\n\r\n") == 400);
  CHECK(status(line + "Transfer-Encoding: gzip, chunked\r\n\r\n") == 501);
  CHECK(status(line + "Content-Length : 5\r\n\r\n") == 400);
  CHECK(status(line + " folded: 5\r\n\r\n") == 400);
  CHECK(status(line + "X: a\x01\r\n\r\n") == 400);
  CHECK(status(line + "nonsense\r\n\r\n") == 400);
  CHECK(status("POST /query HTTP/1.1\r\n\r\n") == 400);  // no Host
  CHECK(status("POST /query HTTP/1.0\r\n\r\n") == 200);
  CHECK(status(line + "Host: y\r\n\r\n") == 400);
  CHECK(status("POST /query HTTP/1.1\nHost: x\n\n") == 400);
  CHECK(status("POST /que ry HTTP/1.1\r\nHost: x\r\n\r\n") == 400);
  CHECK(status("POST\r\nHost: x\r\n\r\n") == 400);
  CHECK(status("PRI * HTTP/2.0\r\n\r\n") == 505);
  CHECK(status("GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n") == 414);
  CHECK(status(line + "X: " + std::string(9000, 'a') + "\r\n\r\n") == 431);
  std::string many = line;
  for (int i = 0; i < 200; ++i) {
    many += "X: y\r\n";
  }
  CHECK(status(many + "\r\n") == 431);
  CHECK(status(line + "Expect: 200-maybe\r\n\r\n") == 417);

  Head head;
  CHECK_FALSE(
      parse_head("GET /a?b=c#d HTTP/1.1\r\nHOST:  h \r\nConnection: x, Close\r\n\r\n", head));
  CHECK(head.path == "/a");
  CHECK(head.query == "b=c");
  CHECK(head.field("host") == "h");
  CHECK(head.close);
}
