"""Batches: one transaction, all or nothing; and read-only that holds."""

from __future__ import annotations

from typing import Any

import pytest
from harness import Server, running


def batch(*statements: Any, **members: Any) -> dict[str, Any]:
    items = [
        {"sql": s} if isinstance(s, str) else {"sql": s[0], "params": s[1]} for s in statements
    ]
    return {"batch": items, **members}


def count(server: Server, table: str) -> int:
    return int(server.value(f"select count(*) from {table}"))


def test_the_results_come_in_order(server: Server, table: str) -> None:
    answer = server.post(
        batch(
            (f"insert into {table} values ($1, $2)", [1, "a"]),
            f"select id, name from {table}",
            f"update {table} set name = 'b' returning name",
        )
    )
    assert answer.status_code == 200, answer.text
    first, second, third = answer.json()["results"]
    assert (first["command"], first["row_count"], first["rows"]) == ("INSERT", 1, [])
    assert second["rows"] == [{"id": 1, "name": "a"}]
    assert third["rows"] == [{"name": "b"}]
    arrays = server.post(batch("select 1", "select 2", rows="arrays")).json()["results"]
    assert [result["rows"] for result in arrays] == [[[1]], [[2]]]


def test_an_error_undoes_all_and_names_its_statement(server: Server, table: str) -> None:
    insert = f"insert into {table} values (1, 'a')"
    status, error = server.error(batch(insert, "select 1/0", insert))
    assert (status, error["code"], error["statement"]) == (400, "22012", 1)
    status, error = server.error(batch(insert, insert))
    assert (status, error["code"], error["statement"]) == (409, "23505", 1)
    assert count(server, table) == 0
    assert "statement" not in server.error("select 1/0")[1]


def test_a_deferred_constraint_fails_at_the_commit(server: Server, table: str) -> None:
    assert (
        server.post(
            f"alter table {table} add unique (name) deferrable initially deferred"
        ).status_code
        == 200
    )
    insert = f"insert into {table} values ($1, 'same')"
    status, error = server.error(batch((insert, [1]), (insert, [2])))
    assert (status, error["code"], error["statement"]) == (409, "23505", None)
    assert count(server, table) == 0


@pytest.mark.parametrize(
    "breaker",
    ["commit", "rollback", "commit and chain", "do $$begin commit; end$$", "end", "abort"],
)
def test_nothing_runs_behind_a_statement_that_ends_the_transaction(
    server: Server, table: str, breaker: str
) -> None:
    insert = f"insert into {table} values ($1, 'x')"
    status, error = server.error(batch((insert, [1]), breaker, (insert, [2]), "select 1/0"))
    assert status == 400
    assert error["code"] == "2D000"
    assert error["statement"] == 1
    # What a COMMIT kept is kept; what stands behind it never ran.
    assert server.rows(f"select id from {table} where id = 2") == []
    # The session was not left inside anything.
    assert server.value("select pg_current_xact_id_if_assigned() is null") is True


def test_isolation_is_the_batchs_own(server: Server) -> None:
    for level in ("read committed", "repeatable read", "serializable"):
        answer = server.post(batch("show transaction_isolation", isolation=level)).json()
        assert answer["results"][0]["rows"] == [{"transaction_isolation": level}]
    assert server.value("show transaction_isolation") == "read committed"


def test_max_rows_counts_for_each_statement(server: Server) -> None:
    sql = "select generate_series(1, 5) g"
    results = server.post(batch(sql, sql, max_rows=2)).json()["results"]
    assert [(len(r["rows"]), r["truncated"]) for r in results] == [(2, True), (2, True)]


def test_a_batch_has_no_lines(server: Server) -> None:
    for accept in ("text/csv", "application/x-ndjson"):
        status, error = server.error(batch("select 1"), headers={"Accept": accept})
        assert (status, error["code"]) == (406, "not_acceptable")


def test_a_large_batch_streams(server: Server) -> None:
    answer = server.post(
        batch("select generate_series(1, 30000) g", "select generate_series(1, 30000) g")
    )
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert [len(r["rows"]) for r in answer.json()["results"]] == [30000, 30000]


ESCAPES = [
    ["set transaction read write", "insert into {t} values (1, 'x')"],
    ["commit", "insert into {t} values (1, 'x')"],
    ["rollback", "insert into {t} values (1, 'x')"],
    ["commit and chain", "insert into {t} values (1, 'x')"],
    ["set session characteristics as transaction read write", "insert into {t} values (1, 'x')"],
    ["set transaction_read_only = off", "insert into {t} values (1, 'x')"],
    ["select set_config('transaction_read_only', 'off', false)", "insert into {t} values (1, 'x')"],
    ["release savepoint g", "set transaction read write", "insert into {t} values (1, 'x')"],
    ["begin read write", "insert into {t} values (1, 'x')"],
]
SINGLE_ESCAPES = [
    "insert into {t} values (1, 'x')",
    "with w as (insert into {t} values (1, 'x') returning 1) select * from w",
    "do $$begin insert into {t} values (1, 'x'); end$$",
    "do $$begin commit; insert into {t} values (1, 'x'); end$$",
    "do $$begin rollback; set transaction read write; insert into {t} values (1, 'x'); end$$",
    (
        "do $$begin perform set_config('transaction_read_only', 'off', false);"
        " insert into {t} values (1, 'x'); end$$"
    ),
    "select nextval('{t}_seq')",
    "truncate {t}",
    "drop table {t}",
]


@pytest.fixture(scope="module")
def read_only_server() -> Any:
    with running("--read-only") as server:
        yield server


@pytest.mark.parametrize("statements", ESCAPES, ids=[" / ".join(e)[:50] for e in ESCAPES])
@pytest.mark.parametrize("whose", ["request", "server"])
def test_a_read_only_batch_cannot_be_left(
    server: Server, read_only_server: Server, table: str, statements: list[str], whose: str
) -> None:
    target = server if whose == "request" else read_only_server
    members = {"read_only": True} if whose == "request" else {}
    status, _ = target.error(batch(*[s.format(t=table) for s in statements], **members))
    assert status in (400, 403)
    assert count(server, table) == 0


@pytest.mark.parametrize("statement", SINGLE_ESCAPES, ids=[e[:50] for e in SINGLE_ESCAPES])
def test_a_read_only_statement_writes_nothing(server: Server, table: str, statement: str) -> None:
    assert server.post(f"create sequence {table}_seq owned by {table}.id").status_code == 200
    status, error = server.error({"sql": statement.format(t=table), "read_only": True})
    assert status in (400, 403), error
    if error["code"] == "25006":
        assert status == 403
    assert count(server, table) == 0


def test_read_only_does_not_stick(server: Server, table: str) -> None:
    assert server.value("show transaction_read_only", read_only=True) == "on"
    assert server.post(f"insert into {table} values (1, 'x')").status_code == 200
    status, error = server.error({"sql": f"delete from {table}", "read_only": True})
    assert (status, error["code"]) == (403, "25006")
    for sql in (
        "set session characteristics as transaction read only",
        "set default_transaction_read_only = on",
    ):
        assert server.post(sql).status_code == 200
        assert server.post(f"update {table} set name = 'y'").status_code == 200
