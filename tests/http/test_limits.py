"""Every wait has an end: timeouts, full queues, clients that go away."""

from __future__ import annotations

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness import (
    Background,
    Server,
    read_response,
    request_bytes,
    running,
    wait_until,
)


def active(server: Server, marker: str) -> int:
    """How many backends run a statement with this marker in it."""
    return int(
        server.value(
            "select count(*) from pg_stat_activity where state = 'active' "
            "and query like '%' || $1 || '%' and pid <> pg_backend_pid()",
            [marker],
        )
    )


def test_timeout_ms_ends_a_statement(server: Server) -> None:
    marker = uuid.uuid4().hex
    start = time.monotonic()
    status, error = server.error({"sql": f"select pg_sleep(60) /* {marker} */", "timeout_ms": 200})
    assert (status, error["code"]) == (504, "timeout")
    assert time.monotonic() - start < 20
    wait_until(lambda: active(server, marker) == 0, "the statement is cancelled")
    status, error = server.error(
        {"batch": [{"sql": "select 1"}, {"sql": "select pg_sleep(60)"}], "timeout_ms": 200}
    )
    assert (status, error["code"]) == (504, "timeout")


def test_the_server_has_the_last_word_on_time_and_rows() -> None:
    with running("--timeout-ms", "300", "--max-timeout-ms", "600", "--max-rows", "5") as server:
        assert server.error("select pg_sleep(60)")[0] == 504
        start = time.monotonic()
        assert server.error({"sql": "select pg_sleep(60)", "timeout_ms": 50_000})[0] == 504
        assert time.monotonic() - start < 20
        answer = server.post({"sql": "select generate_series(1, 9)", "max_rows": 7}).json()
        assert len(answer["rows"]) == 5
        assert answer["truncated"] is True
        assert len(server.rows("select generate_series(1, 9)", max_rows=2)) == 2


def test_a_timeout_during_a_stream_cuts_it_off(server: Server) -> None:
    with server.connect() as sock:
        body = json.dumps(
            {
                "sql": "select repeat('x', 1000), case when g > 5000 then pg_sleep(1) end "
                "from generate_series(1, 6000) g",
                "timeout_ms": 1500,
            }
        ).encode()
        sock.sendall(request_bytes(body))
        data = b""
        while part := sock.recv(65536):
            data += part
        assert data.startswith(b"HTTP/1.1 200")
        assert not data.endswith(b"0\r\n\r\n")


def test_a_statement_timeout_of_the_session_is_a_504(server: Server) -> None:
    status, error = server.error(
        {"batch": [{"sql": "set local statement_timeout = 100"}, {"sql": "select pg_sleep(60)"}]}
    )
    assert (status, error["code"], error["statement"]) == (504, "57014", 1)


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("select pg_sleep(120)", id="waiting"),
        pytest.param(
            "select g, repeat('x', 1000) from generate_series(1, 100000000) g", id="streaming"
        ),
    ],
)
def test_a_client_that_goes_away_takes_its_statement_with_it(server: Server, sql: str) -> None:
    marker = uuid.uuid4().hex
    sock = server.connect()
    sock.sendall(request_bytes(f"{sql} /* {marker} */".encode(), f"X-Request-Id: {marker}"))
    wait_until(lambda: active(server, marker) == 1, "the statement runs")
    sock.close()
    wait_until(lambda: active(server, marker) == 0, "the statement is cancelled")
    line = wait_until(
        lambda: [x for x in server.log_lines() if x.get("request_id") == marker],
        "the request is logged",
    )[0]
    assert line["code"] == "client_gone"
    assert server.value("select 1") == 1


def test_a_client_that_goes_away_leaves_the_queue(server: Server) -> None:
    with running("--pool-size", "1", "--pool-wait-ms", "60000") as small:
        hold = Background(lambda: small.value("select pg_sleep(3)::text"))
        wait_until(lambda: active(server, "pg_sleep(3)") >= 1, "the connection is taken")
        sock = small.connect()
        sock.sendall(request_bytes(b"select 1", "X-Request-Id: gone"))
        time.sleep(0.3)
        sock.close()
        line = wait_until(
            lambda: [x for x in small.log_lines() if x.get("request_id") == "gone"],
            "the waiting request ends",
        )[0]
        assert line["status"] == 499
        hold.result()


def test_a_full_pool_refuses_with_retry_after(server: Server) -> None:
    marker = uuid.uuid4().hex
    with running("--pool-size", "1", "--pool-queue", "0") as small:
        # The server's own first look at the database is over.
        wait_until(lambda: small.get("/readyz").status_code == 200, "the server is ready")
        hold = Background(lambda: small.post(f"select pg_sleep(3) /* {marker} */").status_code)
        wait_until(lambda: active(server, marker) == 1, "the connection is taken")
        response = small.post("select 1")
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "1"
        assert response.json()["error"]["code"] == "busy"
        assert small.get("/livez").status_code == 200
        assert small.get("/readyz").status_code == 200
        assert hold.result() == 200
    with running("--pool-size", "1", "--pool-wait-ms", "200") as small:
        hold = Background(lambda: small.post(f"select pg_sleep(3) /* {marker} */").status_code)
        wait_until(lambda: active(server, marker) == 1, "the connection is taken")
        assert small.error("select 1")[1]["code"] == "busy"
        assert hold.result() == 200


def test_a_pool_of_one_serves_fifty_clients() -> None:
    with running("--pool-size", "1", "--pool-wait-ms", "60000") as small:

        def ask(number: int) -> int:
            return int(small.value("select $1::int from pg_sleep(0.01)", [number]))

        with ThreadPoolExecutor(50) as threads:
            assert list(threads.map(ask, range(200))) == list(range(200))


def test_too_many_connections_are_refused_at_once_but_probes_are_answered() -> None:
    with running("--max-connections", "2") as small:
        first, second = small.connect(), small.connect()
        for sock in (first, second):
            sock.sendall(request_bytes(b"select 1"))
            assert read_response(sock)[0] == 200
        for _ in range(20):
            response = small.post("select 1", headers={"Connection": "close"})
            assert response.status_code == 503
            assert response.headers["Retry-After"] == "1"
            assert response.json()["error"]["code"] == "busy"
        assert small.post("x" * 1_000_000).status_code == 503
        for path in ("/livez", "/readyz"):
            assert small.get(path).status_code == 200
        first.close()
        wait_until(lambda: small.post("select 1").status_code == 200, "a place is free again")
        second.close()


def test_the_time_in_the_queue_counts(server: Server) -> None:
    with running("--pool-size", "1", "--pool-wait-ms", "60000") as small:
        marker = uuid.uuid4().hex
        hold = Background(lambda: small.post(f"select pg_sleep(8) /* {marker} */").status_code)
        wait_until(lambda: active(server, marker) == 1, "the only connection is taken")
        status, error = small.error({"sql": "select 1", "timeout_ms": 300})
        assert status in (503, 504)
        assert error["code"] in ("timeout", "busy")
        assert hold.result() == 200


@pytest.mark.parametrize("sql", ["select 1", "select pg_sleep(0.05)"])
def test_many_clients_at_once(server: Server, sql: str) -> None:
    with ThreadPoolExecutor(40) as threads:
        assert set(threads.map(lambda _: server.post(sql).status_code, range(200))) == {200}
