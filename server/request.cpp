#include "request.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "json_text.hpp"
#include "request_members.hpp"
#include "suggest.hpp"

namespace query::server {
namespace {

// long double: a number that overflows it cannot be carried, and double overflows at 1e309.
using Json = nlohmann::basic_json<std::map, std::vector, std::string, bool, std::int64_t,
                                  std::uint64_t, long double>;

constexpr std::size_t kDeepest = 64;        // nothing that PostgreSQL takes is deeper
constexpr std::size_t kMostParams = 65535;  // the protocol counts them in 16 bits

constexpr std::array<std::string_view, 9> kMembers = {"sql",       "params",    "batch",
                                                      "rows",      "numbers",   "timeout_ms",
                                                      "read_only", "isolation", "max_rows"};
constexpr std::array<std::string_view, 2> kBatchMembers = {"sql", "params"};

/// Takes the tokens of a request body in order, without ever holding it as a tree.
class BodyReader final : public nlohmann::json_sax<Json> {
 public:
  /// The request, after the last token.
  auto finish() -> QueryRequest {
    const bool has_sql = top_.sql.has_value();
    if (has_sql == request_.batch) {
      throw BadRequest(has_sql ? R"(send either "sql" or "batch", not both)"
                               : R"(a request needs "sql", or "batch" for several statements)");
    }
    if (request_.batch && top_.params) {
      throw BadRequest(R"("params" stands inside each statement of a "batch", not beside it)");
    }
    if (request_.batch && request_.statements.empty()) {
      throw BadRequest(R"("batch" must hold at least one statement)");
    }
    if (!request_.batch) {
      if (request_.isolation != Isolation::kDefault) {
        throw BadRequest(R"("isolation" belongs to a "batch"; one statement has no use for it)");
      }
      request_.statements.push_back(take(top_));
    }
    return std::move(request_);
  }

  auto null() -> bool override { return value({Token::Kind::kNull, "null"}); }
  auto boolean(bool truth) -> bool override {
    return value({Token::Kind::kBool, truth ? "true" : "false"});
  }
  auto number_integer(std::int64_t number) -> bool override {
    // Signed only where a minus was written, so that a zero here was "-0".
    const std::string text = number == 0 ? "-0" : std::to_string(number);
    return value({Token::Kind::kInteger, text});
  }
  auto number_unsigned(std::uint64_t number) -> bool override {
    return value({Token::Kind::kInteger, std::to_string(number)});
  }
  auto number_float(long double /*rounded*/, const std::string& text) -> bool override {
    return value({Token::Kind::kFloat, text});
  }
  auto string(std::string& text) -> bool override { return value({Token::Kind::kString, text}); }
  auto binary(Json::binary_t& /*bytes*/) -> bool override { return false; }  // not in JSON text

  auto start_object(std::size_t /*size*/) -> bool override {
    go_deeper();
    switch (at_) {
      case At::kStart:
        at_ = At::kTop;
        return true;
      case At::kBatch:
        item_ = {};
        at_ = At::kItem;
        return true;
      case At::kParams:
      case At::kNested:
        return open('{');
      case At::kTop:
      case At::kItem:
        break;
    }
    return member({Token::Kind::kObject, {}});
  }

  auto end_object() -> bool override {
    --depth_;
    if (at_ == At::kNested) {
      return close('}');
    }
    if (at_ == At::kItem) {
      if (!item_.sql) {
        throw BadRequest(item_name() + R"( needs "sql")");
      }
      request_.statements.push_back(take(item_));
      at_ = At::kBatch;
    }
    return true;
  }

  auto start_array(std::size_t /*size*/) -> bool override {
    go_deeper();
    switch (at_) {
      case At::kParams:
      case At::kNested:
        return open('[');
      case At::kTop:
        if (key_ == "batch") {
          request_.batch = true;
          at_ = At::kBatch;
          return true;
        }
        [[fallthrough]];
      case At::kItem:
        if (key_ == "params") {
          params_return_ = at_;
          draft().params.emplace();
          at_ = At::kParams;
          return true;
        }
        break;
      case At::kBatch:
        return value({Token::Kind::kArray, {}});
      case At::kStart:
        return false;  // the first byte is a brace
    }
    return member({Token::Kind::kArray, {}});
  }

  auto end_array() -> bool override {
    --depth_;
    if (at_ == At::kNested) {
      return close(']');
    }
    at_ = at_ == At::kParams ? params_return_ : At::kTop;
    return true;
  }

  auto key(std::string& name) -> bool override {
    if (at_ == At::kNested) {
      refuse_nul(name, param_name());
      separate();
      append_json_string(nested_, name);
      nested_ += ':';
      need_comma_ = false;
      return true;
    }
    const std::span<const std::string_view> known =
        at_ == At::kItem ? std::span<const std::string_view>(kBatchMembers) : kMembers;
    const auto found = std::find(known.begin(), known.end(), name);
    const std::string where = at_ == At::kItem ? item_name() + " has" : "the request has";
    if (found == known.end()) {
      std::string quoted;
      append_json_string(quoted, name.substr(0, 100));
      throw BadRequest(where + " an unknown member " + quoted + did_you_mean(name, known));
    }
    std::uint32_t& seen = at_ == At::kItem ? item_.seen : top_.seen;
    const std::uint32_t bit = 1U << static_cast<unsigned>(found - known.begin());
    if ((seen & bit) != 0) {
      throw BadRequest(where + " the member \"" + name + "\" twice");
    }
    seen |= bit;
    key_ = *found;
    return true;
  }

  auto parse_error(std::size_t /*position*/, const std::string& /*last*/,
                   const nlohmann::detail::exception& error) -> bool override {
    std::string_view what = error.what();
    if (error.id == 406) {
      throw BadRequest("the body holds a number that is too large; send it as a string");
    }
    if (const auto end = what.find("] "); end != std::string_view::npos) {
      what.remove_prefix(end + 2);
    }
    constexpr std::string_view kPrefix = "parse error at ";
    if (what.starts_with(kPrefix)) {
      what.remove_prefix(kPrefix.size());
    }
    throw BadRequest("the body is not valid JSON: " + std::string(what));
  }

 private:
  enum class At : std::uint8_t { kStart, kTop, kBatch, kItem, kParams, kNested };
  struct Draft {
    std::optional<std::string> sql;
    std::optional<Params> params;
    std::uint32_t seen = 0;
  };

  auto draft() -> Draft& { return params_return_ == At::kItem ? item_ : top_; }

  static auto take(Draft& draft) -> Statement {
    return {std::move(*draft.sql), draft.params ? std::move(*draft.params) : Params{}};
  }

  void go_deeper() {
    if (++depth_ > kDeepest) {
      throw BadRequest("the body is nested deeper than " + std::to_string(kDeepest) + " levels");
    }
  }

  [[nodiscard]] auto item_name() const -> std::string {
    return "batch[" + std::to_string(request_.statements.size()) + "]";
  }

  auto param_name() -> std::string {
    return (params_return_ == At::kItem ? item_name() + "." : std::string()) + "params[" +
           std::to_string(draft().params->size()) + "]";
  }

  auto value(const Token& token) -> bool {
    switch (at_) {
      case At::kTop:
      case At::kItem:
        return member(token);
      case At::kParams:
        add_param(token);
        return true;
      case At::kNested:
        separate();
        if (token.kind == Token::Kind::kString) {
          refuse_nul(token.text, param_name());
          append_json_string(nested_, token.text);
        } else {
          nested_ += token.text;
        }
        need_comma_ = true;
        return true;
      case At::kBatch:
        throw BadRequest(item_name() + R"( must be an object {"sql": …, "params": […]}, not )" +
                         token.named());
      case At::kStart:
        break;
    }
    return false;
  }

  void add_param(const Token& token) {
    Params& params = *draft().params;
    if (params.size() == kMostParams) {
      throw BadRequest("a statement takes at most " + std::to_string(kMostParams) + " params");
    }
    if (token.kind == Token::Kind::kNull) {
      params.add(nullptr);
      return;
    }
    if (token.kind == Token::Kind::kString) {
      refuse_nul(token.text, param_name());
    }
    params.add(token.text);
  }

  // An array or object among the params is put together again as text.

  void separate() {
    if (need_comma_) {
      nested_ += ',';
    }
  }

  auto open(char bracket) -> bool {
    if (at_ == At::kParams) {
      at_ = At::kNested;
      nested_.clear();
      nested_depth_ = 0;
      need_comma_ = false;
    }
    separate();
    nested_ += bracket;
    ++nested_depth_;
    need_comma_ = false;
    return true;
  }

  auto close(char bracket) -> bool {
    nested_ += bracket;
    need_comma_ = true;
    if (--nested_depth_ == 0) {
      if (draft().params->size() == kMostParams) {
        throw BadRequest("a statement takes at most " + std::to_string(kMostParams) + " params");
      }
      draft().params->add_json(nested_);
      at_ = At::kParams;
    }
    return true;
  }

  auto member(const Token& token) -> bool {
    const std::string name =
        (at_ == At::kItem ? item_name() + "." : std::string()) + std::string(key_);
    if (key_ == "sql") {
      if (token.kind != Token::Kind::kString) {
        refuse_type(name, token, "a string");
      }
      refuse_nul(token.text, "\"" + name + "\"");
      (at_ == At::kItem ? item_ : top_).sql = std::string(token.text);
    } else if (key_ == "params") {
      refuse_type(name, token, "an array of values for $1, $2 …");
    } else if (key_ == "batch") {
      refuse_type(name, token, R"(an array of {"sql": …, "params": […]})");
    } else {
      set_option(request_, key_, token);
    }
    return true;
  }

  QueryRequest request_;
  At at_ = At::kStart;
  At params_return_ = At::kTop;
  std::string_view key_;
  Draft top_;
  Draft item_;
  std::string nested_;
  std::size_t nested_depth_ = 0;
  std::size_t depth_ = 0;
  bool need_comma_ = false;
};

auto raw_statement(std::string_view sql) -> QueryRequest {
  refuse_nul(sql, "the SQL");
  if (const auto at = find_invalid_utf8(sql); at != std::string_view::npos) {
    throw BadRequest("the SQL is not valid UTF-8: byte " + std::to_string(at + 1) +
                     " starts no character");
  }
  QueryRequest request;
  request.statements.emplace_back(std::string(sql));
  return request;
}

}  // namespace

auto parse_request(std::string_view body) -> QueryRequest {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (body.starts_with(kByteOrderMark)) {
    body.remove_prefix(kByteOrderMark.size());
  }
  const auto first = body.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) {
    throw BadRequest(
        "the body is empty: send the text of an SQL statement, or a JSON object with \"sql\"");
  }
  if (body[first] != '{') {
    return raw_statement(body);
  }
  BodyReader reader;
  if (!Json::sax_parse(body, &reader)) {
    throw BadRequest("the body is not valid JSON");
  }
  return reader.finish();
}

}  // namespace query::server
