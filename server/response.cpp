#include "response.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>

#include "json_text.hpp"
#include "request.hpp"

namespace query::server {
namespace {

struct StatusRule {
  std::string_view prefix;
  int status;
};

/// SQLSTATE or its beginning → status; the longest match counts, what is not listed is 500.
/// PostgreSQL manual, appendix "PostgreSQL Error Codes". 400: the statement cannot succeed as it
/// is; 403: not with these rights; 409: not in the present state of the data; 5xx: not its fault.
constexpr std::array kStatusRules = {
    StatusRule{"08", 503},     // connection exceptions …
    StatusRule{"08P01", 400},  // … but this one comes with a wrong number of parameters
    StatusRule{"09", 400},     // triggered action
    StatusRule{"0A", 400},     // feature not supported
    StatusRule{"0B", 400},     // transaction initiation
    StatusRule{"0F", 400},     // locator
    StatusRule{"0L", 403},     // grantor
    StatusRule{"0P", 403},     // role specification
    StatusRule{"0Z", 400},     // diagnostics
    StatusRule{"20", 400},     // case not found
    StatusRule{"21", 400},     // cardinality: a subquery gave more than one row
    StatusRule{"22", 400},     // data exceptions
    StatusRule{"23", 409},     // constraints: of the data as it is …
    StatusRule{"23502", 400},  // … but NOT NULL and CHECK are about the value alone
    StatusRule{"23514", 400}, StatusRule{"24", 400},  // cursor state
    StatusRule{"25", 400},                            // transaction state
    StatusRule{"25P03", 503},  // the session was ended for idling in a transaction
    StatusRule{"25P04", 504},  // transaction_timeout
    StatusRule{"26", 400},     // statement name
    StatusRule{"27", 409},     // triggered data change
    StatusRule{"28", 403},     // authorization
    StatusRule{"2B", 409},     // dependent privileges or objects
    StatusRule{"2D", 400},     // transaction termination
    StatusRule{"2F", 400},     // SQL routine
    StatusRule{"34", 400},     // cursor name
    StatusRule{"38", 400},     // external routine
    StatusRule{"3B", 400},     // savepoint
    StatusRule{"3D", 400},     // database name
    StatusRule{"3F", 400},     // schema name
    StatusRule{"40", 409},     // rollback: serialization failure, deadlock, constraint at commit
    StatusRule{"40003", 503},  // statement completion unknown
    StatusRule{"42", 400},     // syntax error or access rule …
    StatusRule{"42501", 403},  // … insufficient privilege
    StatusRule{"44", 400},     // WITH CHECK OPTION
    StatusRule{"53", 503},     // resources
    StatusRule{"54", 400},     // program limits: too complex, too many columns
    StatusRule{"55", 400},     // object state
    StatusRule{"55006", 409},  // object in use
    StatusRule{"55P03", 409},  // lock not available
    StatusRule{"57", 503},     // operator intervention: shutdown, crash, starting up
    StatusRule{"57014", 504},  // cancelled, most often by statement_timeout
    StatusRule{"72", 503},     // snapshot too old
    StatusRule{"P0", 400},     // RAISE and its kin in PL/pgSQL
};

constexpr std::string_view kReadOnlyTransaction = "25006";

/// The members of {"error":{…}}, in their order.
class ErrorBody {
 public:
  void text(std::string_view name, std::string_view value) {
    append_json_key(json_, name);
    if (value.empty()) {
      json_ += "null";
    } else {
      append_json_string(json_, value);
    }
  }
  template <class T>
  void number(std::string_view name, const std::optional<T>& value) {
    append_json_key(json_, name);
    json_ += value ? std::to_string(*value) : "null";
  }
  void text_if(std::string_view name, std::string_view value) {
    if (!value.empty()) {
      text(name, value);
    }
  }
  auto finish() -> std::string { return std::move(json_) + "}}"; }

 private:
  std::string json_ = R"({"error":{)";
};

struct Extra {
  bool batch = false;
  std::optional<std::size_t> statement;
  bool outcome_unknown = false;
};

auto make_reply(int status, const Diagnostics& fields, const Extra& extra = {}) -> Reply {
  ErrorBody body;
  body.text("code", fields.sqlstate);
  body.text("severity", fields.severity.empty() ? "ERROR" : fields.severity);
  body.text("message", fields.message);
  body.text("detail", fields.detail);
  body.text("hint", fields.hint);
  body.number("position", fields.position);
  body.number("internal_position", fields.internal_position);
  body.text("internal_query", fields.internal_query);
  body.text("context", fields.context);
  body.text("schema", fields.schema);
  body.text("table", fields.table);
  body.text("column", fields.column);
  body.text("datatype", fields.datatype);
  body.text("constraint", fields.constraint);
  if (extra.batch) {
    body.number("statement", extra.statement);
  }
  body.text_if("outcome", extra.outcome_unknown ? "unknown" : "");

  Reply reply;
  reply.status = status;
  reply.code = fields.sqlstate;
  reply.body = body.finish();
  // Only where the request certainly had no effect may a client be told to repeat it.
  if (status == 503 && !extra.outcome_unknown) {
    reply.headers.emplace_back("Retry-After", "1");
  }
  return reply;
}

auto own(std::string_view code, std::string_view message) -> Diagnostics {
  Diagnostics fields;
  fields.sqlstate = code;
  fields.message = message;
  return fields;
}

auto sql_error_reply(const SqlError& error, const Asked& asked) -> Reply {
  Extra extra;
  extra.batch = asked.batch;
  extra.statement = error.statement();
  extra.outcome_unknown = error.outcome_unknown();
  return make_reply(status_of(error.sqlstate(), asked.read_only), error.diagnostics(), extra);
}

auto connection_error_reply(const ConnectionError& error, const Asked& asked) -> Reply {
  Extra extra;
  extra.batch = asked.batch;
  extra.outcome_unknown = error.outcome_unknown();
  // Class 08 is libquery's own word for it; any other SQLSTATE came from PostgreSQL.
  const bool own_word = error.sqlstate().empty() || error.sqlstate().starts_with("08");
  const std::string_view code = own_word ? "unavailable" : std::string_view(error.sqlstate());
  Diagnostics fields =
      own(code, extra.outcome_unknown ? "the connection to the database was lost while the "
                                        "statement ran"
                                      : "the database cannot be reached");
  if (extra.outcome_unknown && !asked.read_only) {
    fields.hint = "nobody can tell whether the statement took effect: look before repeating it";
  }
  Reply reply = make_reply(503, fields, extra);
  reply.detail = error.what();
  return reply;
}

auto timeout_reply(const Timeout& error, const Asked& asked) -> Reply {
  Extra extra;
  extra.batch = asked.batch;
  extra.outcome_unknown = error.outcome_unknown();
  Diagnostics fields = own("timeout", "the request did not end in its time and was cancelled");
  fields.hint = "\"timeout_ms\" gives it more, up to the server's limit";
  return make_reply(504, fields, extra);
}

}  // namespace

auto status_of(std::string_view sqlstate, bool read_only) noexcept -> int {
  if (sqlstate == kReadOnlyTransaction) {
    return read_only ? 403 : 503;
  }
  const StatusRule* best = nullptr;
  for (const StatusRule& rule : kStatusRules) {
    if (sqlstate.starts_with(rule.prefix) &&
        (best == nullptr || rule.prefix.size() > best->prefix.size())) {
      best = &rule;
    }
  }
  return best == nullptr ? 500 : best->status;
}

auto error_reply(int status, std::string_view code, std::string_view message, std::string_view hint)
    -> Reply {
  Diagnostics fields = own(code, message);
  fields.hint = hint;
  return make_reply(status, fields);
}

auto exception_reply(const std::exception_ptr& exception, const Asked& asked) -> Reply {
  try {
    std::rethrow_exception(exception);
  } catch (const BadRequest& error) {
    return error_reply(400, "bad_request", error.what());
  } catch (const SqlError& error) {
    return sql_error_reply(error, asked);
  } catch (const ConnectionError& error) {
    return connection_error_reply(error, asked);
  } catch (const Busy& error) {
    Reply reply = error_reply(503, "busy", "all database connections are in use; try again soon");
    reply.detail = error.what();
    return reply;
  } catch (const Timeout& error) {
    return timeout_reply(error, asked);
  } catch (const Interrupted& error) {
    Reply reply = error_reply(503, "unavailable", "the server is shutting down");
    reply.detail = error.what();
    return reply;
  } catch (const Error& error) {
    Reply reply = make_reply(status_of(error.sqlstate(), asked.read_only),
                             own(error.sqlstate().empty() ? "internal" : error.sqlstate(),
                                 "the database gave an answer that was not understood"));
    reply.detail = error.what();
    return reply;
  } catch (const std::invalid_argument& error) {  // the library refused the caller's input
    return error_reply(400, "bad_request", error.what());
  } catch (const std::bad_alloc&) {
    return error_reply(503, "busy", "the server is out of memory");
  } catch (const std::exception& error) {
    Reply reply = error_reply(500, "internal", "the server failed; its log says more");
    reply.detail = error.what();
    return reply;
  }
}

}  // namespace query::server
