"""The express lane: many requests share one connection to the database, and nobody can tell."""

from __future__ import annotations

import itertools
import json
import re
import socket
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from harness import Server, request_bytes, running, wait_until


@pytest.fixture(scope="module")
def lane() -> Iterator[Server]:
    """A server whose only worker has a lane, beside a single connection for all else."""
    with running("--pool-size", "2", "--pool-wait-ms", "30000", "--workers", "1") as server:
        yield server


def asked(server: Server, body: object, **options: object) -> tuple[requests.Response, bool]:
    """The response, and whether it came through the lane."""
    marker = uuid.uuid4().hex
    headers = {"X-Request-Id": marker, **options}
    response = server.post(body, headers=headers)
    line = wait_until(
        lambda: [x for x in server.log_lines() if x.get("request_id") == marker],
        "the request is logged",
    )[0]
    return response, line.get("express", False)


def warm(server: Server, body: object, **options: object) -> requests.Response:
    """Asks until the lane is used, and gives its answer, which is that of the first time."""
    first, _ = asked(server, body, **options)

    def once() -> requests.Response | None:
        again, express = asked(server, body, **options)
        assert again.content == first.content
        assert again.status_code == first.status_code
        return again if express else None

    answer: requests.Response = wait_until(once, f"the lane is used for {body}")
    return answer


def read_in_turn(sock: socket.socket, buffer: bytearray) -> tuple[int, bytes]:
    """The next of several responses that may come at once; `buffer` keeps what is behind it."""

    def more() -> None:
        part = sock.recv(65536)
        assert part, f"the connection ended after {bytes(buffer)!r}"
        buffer.extend(part)

    while b"\r\n\r\n" not in buffer:
        more()
    head, _, _ = bytes(buffer).partition(b"\r\n\r\n")
    found = re.search(rb"Content-Length: (\d+)", head)
    assert found, head
    end = len(head) + 4 + int(found.group(1))
    while len(buffer) < end:
        more()
    body = bytes(buffer[len(head) + 4 : end])
    del buffer[:end]
    return int(head.split(b" ")[1]), body


def own(sql: str) -> str:
    """The same statement under a text of its own, of which nothing is known yet."""
    return f"{sql} /* {uuid.uuid4().hex} */"


@pytest.fixture
def numbers(lane: Server) -> Iterator[str]:
    """A table of a hundred rows (id, name, tags)."""
    name = f"numbers_{uuid.uuid4().hex}"
    sql = (
        f"create table {name} as select g as id, 'n' || g as name, array[g, -g] as tags "
        "from generate_series(1, 100) g"
    )
    assert lane.post(sql).status_code == 200
    yield name
    lane.post(f"drop table if exists {name}")


def test_the_lane_gives_the_same_bytes(lane: Server, numbers: str) -> None:
    sql = f"select * from {numbers} where id = $1 or id = any($2)"
    for members in (
        {},
        {"rows": "arrays"},
        {"numbers": "string"},
        {"read_only": True},
        {"timeout_ms": 20000},
    ):
        warm(lane, {"sql": sql, "params": [7, [8, 9]], **members})
    for accept in ("application/x-ndjson", "text/csv"):
        answer = warm(lane, {"sql": sql, "params": [7, [8, 9]]}, Accept=accept)
        assert answer.headers["Query-Row-Count"] == "3"
        assert answer.headers["Query-Truncated"] == "false"
    warm(lane, f"select * from {numbers} where false")
    warm(lane, "select 1 as one, null as nothing, '{\"a\": [1]}'::jsonb as json")


@pytest.mark.parametrize(
    "body",
    [
        {"sql": "insert into {t} values (1000) returning id"},
        {"sql": "select random()"},
        {"sql": "select pg_advisory_lock(1)"},
        {"sql": "select set_config('a.b', 'c', false)"},
        {"sql": "select id from {t} for update"},
        {"sql": "select id from {t} where id = 1", "max_rows": 5},
        {"sql": "select id from {t} where id = 2", "timeout_ms": 500},
        {"batch": [{"sql": "select 1"}]},
        {"sql": "set application_name = 'x'"},
        {"sql": "show application_name"},
        {"sql": "select current_setting('statement_timeout')"},
        {"sql": "select count(*) from pg_settings"},
        {"sql": "select repeat('x', 100000)"},
    ],
    ids=lambda body: next(iter(body.values()))[:40] if "sql" in body else "batch",
)
def test_what_is_not_proven_quick_and_small_goes_alone(
    lane: Server, numbers: str, body: dict[str, object]
) -> None:
    text = json.loads(json.dumps(body).replace("{t}", numbers))
    for _ in range(6):
        response, express = asked(lane, text)
        assert response.status_code == 200, response.text
        assert not express


def test_an_error_is_only_its_own(lane: Server, numbers: str) -> None:
    good = own(f"select id, name from {numbers} where id = $1")
    bad = own("select 100 / $1::int as q")
    warm(lane, {"sql": good, "params": [1]})
    warm(lane, {"sql": bad, "params": [10]})
    stop = threading.Event()

    def ask(number: int) -> int:
        count = 0
        with requests.Session() as session:
            session.trust_env = False
            for i in itertools.count():
                if stop.is_set() or i == 100:
                    return count
                key = (number * 31 + i) % 100 + 1
                body = {"sql": good, "params": [key]}
                if number % 4 == 0:
                    body = {"sql": bad, "params": [i % 3]}
                response = session.post(f"{lane.url}/query", json=body, timeout=60)
                if number % 4 != 0:
                    assert response.json()["rows"] == [{"id": key, "name": f"n{key}"}]
                elif i % 3 == 0:
                    assert response.status_code == 400
                    assert response.json()["error"]["code"] == "22012"
                else:
                    assert response.json()["rows"] == [{"q": 100 // (i % 3)}]
                count += 1
        return count

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(ask, range(16))) == 16 * 100
    assert any(line.get("express") for line in lane.log_lines())


def test_a_statement_that_is_slow_leaves_the_lane(lane: Server, numbers: str) -> None:
    quick = own(f"select name from {numbers} where id = $1")
    slow = own("select count(*) from generate_series(1, $1::int) a, generate_series(1, 1000) b")
    warm(lane, {"sql": quick, "params": [5]})
    warm(lane, {"sql": slow, "params": [1]})
    # It runs into the lane's timeout, is run again by itself, and never comes back.
    response, express = asked(lane, {"sql": slow, "params": [20000]})
    assert response.json()["rows"] == [{"count": 20_000_000}]
    assert not express
    for _ in range(6):
        response, express = asked(lane, {"sql": slow, "params": [1]})
        assert response.json()["rows"] == [{"count": 1000}]
        assert not express
    warm(lane, {"sql": quick, "params": [5]})


def test_a_result_that_is_suddenly_large_is_whole_and_leaves_the_lane(lane: Server) -> None:
    sql = own("select repeat('x', $1::int) as x from generate_series(1, $2::int)")
    warm(lane, {"sql": sql, "params": [10, 1]})
    for _ in range(2):
        response, _ = asked(lane, {"sql": sql, "params": [10000, 100]})
        assert response.json()["rows"] == [{"x": "x" * 10000}] * 100
    assert not asked(lane, {"sql": sql, "params": [10, 1]})[1]


def test_tables_that_change_under_the_lane(lane: Server, numbers: str) -> None:
    sql = own(f"select * from {numbers} where id = 3")
    warm(lane, sql)
    assert lane.post(f"alter table {numbers} add extra text default 'e'").status_code == 200
    assert lane.post(sql).json()["rows"][0]["extra"] == "e"
    warm(lane, sql)
    assert lane.post(f"drop table {numbers}").status_code == 200
    for _ in range(6):
        status, error = lane.error(sql)
        assert (status, error["code"]) == (400, "42P01")


def test_a_function_that_takes_a_built_in_ones_place_closes_the_lane(lane: Server) -> None:
    schema = f"shadow_{uuid.uuid4().hex}"
    sql = own("select lower('ABC'::varchar) as l")
    warm(lane, sql)
    try:
        assert lane.post(f"create schema {schema}").status_code == 200
        created = lane.post(
            f"create function {schema}.lower(varchar) returns text language sql volatile as "
            "$$ select set_config('leak.mark', 'leaked', false) $$"
        )
        assert created.status_code == 200, created.text
        for _ in range(6):
            response, express = asked(lane, sql)
            assert response.json()["rows"] == [{"l": "abc"}]
            assert not express
    finally:
        lane.post(f"drop schema {schema} cascade")


def test_killed_backends_lose_no_answer(lane: Server, numbers: str) -> None:
    sql = own(f"select name from {numbers} where id = $1")
    warm(lane, {"sql": sql, "params": [1]})
    stop = threading.Event()

    def kill() -> int:
        killed = 0
        while not stop.wait(0.1):
            response = lane.post(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity "
                "where backend_type = 'client backend' and pid <> pg_backend_pid()"
            )
            if response.status_code == 200:
                killed += response.json()["rows"][0]["count"]
        return killed

    def ask(number: int) -> None:
        with requests.Session() as session:
            session.trust_env = False
            for i in range(100):
                key = (number * 37 + i) % 100 + 1
                response = session.post(
                    f"{lane.url}/query", json={"sql": sql, "params": [key]}, timeout=60
                )
                if response.status_code == 200:
                    assert response.json()["rows"] == [{"name": f"n{key}"}]
                else:  # the one that ran by itself was killed
                    assert response.status_code == 503, response.text

    with ThreadPoolExecutor(9) as threads:
        killer = threads.submit(kill)
        try:
            list(threads.map(ask, range(8)))
        finally:
            stop.set()
        assert killer.result() > 0
    warm(lane, {"sql": sql, "params": [1]})


def test_answers_keep_the_order_of_the_requests(lane: Server, numbers: str) -> None:
    sql = own(f"select name from {numbers} where id = $1")
    warm(lane, {"sql": sql, "params": [1]})
    requests_sent = []
    expected: list[tuple[int, object]] = []
    for i in range(1, 101):
        if i % 10 == 3:
            requests_sent.append(request_bytes(b"select pg_sleep(0.01)::text as slept"))
            expected.append((200, [{"slept": ""}]))
        elif i % 10 == 5:
            requests_sent.append(b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n")
            expected.append((404, None))
        elif i % 10 == 7:
            requests_sent.append(request_bytes(b"selct"))
            expected.append((400, None))
        else:
            requests_sent.append(request_bytes(json.dumps({"sql": sql, "params": [i]}).encode()))
            expected.append((200, [{"name": f"n{i}"}]))
    with lane.connect() as sock:
        sender = threading.Thread(target=sock.sendall, args=(b"".join(requests_sent),))
        sender.start()
        buffer = bytearray()
        for status, rows in expected:
            got, body = read_in_turn(sock, buffer)
            assert got == status, body
            if rows is not None:
                assert json.loads(body)["rows"] == rows
        sender.join()
