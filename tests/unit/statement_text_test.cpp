#include "statement_text.hpp"

#include <set>
#include <string>

#include "catch.hpp"

using query::detail::examine;
using query::detail::may_change_catalog;
using Names = std::set<std::string>;

TEST_CASE("a statement that only reads is told from any other", "[statement_text]") {
  for (const char* sql :
       {"select 1", "SELECT 1;", "values (1), (2)", "table t", "((select 1) union (select 2))",
        "with a as (select 1) select * from a", "/* c */ select 1 -- c",
        "select 'insert into t', \"into\" from \"update\"", "select $q$ delete $q$"}) {
    CAPTURE(sql);
    CHECK(examine(sql).reads);
    CHECK(!may_change_catalog(sql));
  }
  for (const char* sql :
       {"", ";", "select 1; select 2", "insert into t values (1)", "select 1 into t",
        "select * from t for update", "select * from t for share", "select * from t for key share",
        "with a as (delete from t returning 1) select * from a", "show all", "explain select 1",
        "begin", "select '\\'", "select U&'\\0061'", "select 1 /*"}) {
    CAPTURE(sql);
    CHECK(!examine(sql).reads);
  }
}

TEST_CASE("statements that may change what others run are known by their first word",
          "[statement_text]") {
  for (const char* sql : {"create table t ()", "drop view v", "alter table t enable row security",
                          "do $$ begin end $$", "call p()", "grant select on t to u", "execute p",
                          "(create view v as select 1)", "/* unclosed", ";create view v as table t",
                          "import foreign schema s", "refresh materialized view v", "", "\\"}) {
    CAPTURE(sql);
    CHECK(may_change_catalog(sql));
  }
  for (const char* sql : {"insert into t values (1)", "UPDATE t set a = 1", "delete from t",
                          "begin", "commit", "set a = 1", "show a", "explain select 1", "listen a",
                          "select '\\'", "/* c */ -- d\n (select 1)"}) {
    CAPTURE(sql);
    CHECK(!may_change_catalog(sql));
  }
}

TEST_CASE("calls are found wherever they hide", "[statement_text]") {
  CHECK(examine("select Lower(a), \"Upper\" (b), s.f/* c */( --d\n) from t").calls ==
        Names{"lower", "Upper", "f"});
  CHECK(examine("select \"in\"(1)").calls == Names{"in"});
  CHECK(examine("select coalesce(a, 1), cast(a as numeric(3)), count(*) filter (where true) over "
                "(order by 1), array(select 1), (1), a in (1), exists (select 1)")
            .calls == Names{"count"});
  CHECK(examine("select * from unnest(a) as u(x, y), generate_series(1, 2) g(z), (values (1)) v(w)")
            .calls == Names{"unnest", "generate_series"});
  CHECK(examine("with recursive n(i) as (select f(1)) select 1").calls == Names{"f"});
  CHECK(examine("select 'f(1)', $$g(1)$$, \"h(1)\" -- i(1)\n /* j(1) */").calls.empty());
}

TEST_CASE("names are found, as the catalog spells them", "[statement_text]") {
  CHECK(examine("select T.\"Col\", a <-> b, 'x'::s.d from Ta as t where distinct on (1) g(1)")
            .names == Names{"select", "t", "Col", "a", "b", "s", "d", "from", "ta", "as", "where",
                            "distinct", "on", "g"});
}
