"""Requests share connections, never each other's session state."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness import Server, running


@pytest.fixture(scope="module")
def one() -> Iterator[Server]:
    """A server with one connection, so that every request gets the other's session."""
    with running("--pool-size", "1", "--pool-wait-ms", "30000") as server:
        yield server


# What a request does, what the next asks, and what it must see.
LEAKS = [
    ("set application_name = 'leak'", "show application_name", None),
    ("set search_path = pg_catalog", "show search_path", None),
    (
        "select set_config('app.user', 'leak', false)",
        "select current_setting('app.user', true)",
        "",
    ),
    ("set statement_timeout = 12345", "show statement_timeout", None),
    ("set datestyle = 'German'", "select '2024-01-02'::date::text", "2024-01-02"),
    ("set bytea_output = 'escape'", r"select '\xde'::bytea::text", r"\xde"),
    ("set extra_float_digits = -10", "select (0.1::float8 + 0.2)::text", "0.30000000000000004"),
    ("set timezone = 'Asia/Kathmandu'", "show timezone", None),
    ("set intervalstyle = 'iso_8601'", "select interval '1 day 2:03'::text", "1 day 02:03:00"),
    (
        "create temporary table leak (id int)",
        "select count(*) from pg_class where relname = 'leak'",
        0,
    ),
    ("prepare leak as select 1", "select count(*) from pg_prepared_statements where from_sql", 0),
    (
        "declare leak cursor with hold for select 1",
        "select count(*) from pg_cursors where name = 'leak'",
        0,
    ),
    ("listen leak", "select count(*) from pg_listening_channels()", 0),
    (
        "select pg_advisory_lock(4711)",
        "select count(*) from pg_locks where locktype = 'advisory' and objid = 4711",
        0,
    ),
    ("set role pg_monitor", "select current_user = session_user", True),
    ("set session authorization pg_monitor", "select session_user", None),
    ("begin", "select pg_current_xact_id_if_assigned() is null", True),
    ("set default_transaction_isolation = 'serializable'", "show transaction_isolation", None),
]


@pytest.mark.parametrize(
    ("deed", "question", "answer"), LEAKS, ids=[leak[0][:40] for leak in LEAKS]
)
def test_nothing_crosses(one: Server, deed: str, question: str, answer: object) -> None:
    before = one.value(question) if answer is None else answer
    backend = one.value("select pg_backend_pid()")
    response = one.post(deed)
    assert response.status_code in (200, 400, 403), response.text
    seen = one.value(question)
    if answer == "":
        assert seen in ("", None)
    else:
        assert seen == before
    if response.status_code == 200 and deed != "begin":
        # It was the same session: the state was reset, not merely elsewhere.
        assert one.value("select pg_backend_pid()") == backend


def test_currval_does_not_cross(one: Server) -> None:
    assert one.post("create sequence if not exists leak_seq").status_code == 200
    one.value("select nextval('leak_seq')")
    status, error = one.error("select currval('leak_seq')")
    assert (status, error["code"]) == (400, "55000")
    assert one.error("select lastval()")[1]["code"] == "55000"
    assert one.post("drop sequence leak_seq").status_code == 200


def test_an_open_transaction_is_not_kept(one: Server) -> None:
    one.post("create table if not exists leak_open (id int)")
    one.post("begin")
    one.post("insert into leak_open values (1)")
    assert one.value("select count(*) from leak_open") == 1  # its own, committed by itself
    one.post("rollback")
    assert one.value("select count(*) from leak_open") == 1
    one.post("drop table leak_open")


def test_deallocated_statements_and_changed_tables_heal(one: Server) -> None:
    one.post("create table if not exists heal (a int)")
    for _ in range(3):
        assert one.post("select * from heal").status_code == 200
    assert one.post("deallocate all").status_code == 200
    assert one.post("select * from heal").status_code == 200
    assert one.post("alter table heal add b int").status_code == 200
    assert len(one.post("select * from heal").json()["columns"]) == 2
    assert one.post("discard all").status_code == 200
    assert one.post("select * from heal").status_code == 200
    assert one.post("drop table heal").status_code == 200
