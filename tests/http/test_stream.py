"""Large results: constant memory, and an end that proves itself."""

from __future__ import annotations

import http.client
import json

import pytest
import requests
from harness import FREES_AT_ONCE, Server, running, wait_until

LATE = "select 1/(x-90000) from generate_series(1,100000) x"


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson", "text/csv"])
def test_a_late_error_cuts_the_answer_off(server: Server, accept: str) -> None:
    response = server.session.post(
        server.url + "/query",
        data=LATE,
        headers={"Accept": accept, "X-Request-Id": f"late-{accept.split('/')[1]}"},
        stream=True,
        timeout=60,
    )
    assert response.status_code == 200
    assert response.headers["Transfer-Encoding"] == "chunked"
    with pytest.raises((requests.exceptions.ChunkedEncodingError, http.client.IncompleteRead)):
        for _ in response.iter_content(65536):
            pass
    line = wait_until(
        lambda: [
            line
            for line in server.log_lines()
            if line.get("request_id") == f"late-{accept.split('/')[1]}"
        ],
        "the request is logged",
    )[0]
    assert line["cut_off"] is True
    assert line["code"] == "22012"
    assert server.value("select 1") == 1


def test_an_early_error_has_its_status(server: Server) -> None:
    assert server.error("select 1/(x-100) from generate_series(1,100000) x")[0] == 400


def test_http_1_0_is_reset_on_a_late_error(server: Server) -> None:
    with server.connect() as sock:
        sock.sendall(f"POST /query HTTP/1.0\r\nContent-Length: {len(LATE)}\r\n\r\n{LATE}".encode())
        with pytest.raises(ConnectionResetError):
            while sock.recv(65536):
                pass


def test_a_million_rows_stream_in_constant_memory() -> None:
    rows = 1_000_000
    sql = f"select g as id, 'row ' || g as name, g * 1.5 as n from generate_series(1, {rows}) g"
    with running(env=FREES_AT_ONCE) as server:
        server.post("select generate_series(1, 50000)")  # what a first request needs for ever
        before = server.resident_kb()
        most = before
        lines = 0
        with server.session.post(
            server.url + "/query",
            data=sql,
            headers={"Accept": "application/x-ndjson"},
            stream=True,
            timeout=120,
        ) as response:
            last = b""
            for chunk in response.iter_content(1 << 20):
                lines += chunk.count(b"\n")
                last = chunk
                most = max(most, server.resident_kb())
        assert lines == rows
        assert json.loads(last.splitlines()[-1])["id"] == rows
        assert most - before < 32 * 1024, f"grew from {before} kB to {most} kB"


def test_one_large_document_is_whole(server: Server) -> None:
    answer = server.post("select g from generate_series(1, 200000) g").json()
    assert len(answer["rows"]) == 200000
    assert answer["row_count"] == 200000


def test_a_large_value_passes_both_ways(server: Server) -> None:
    text = 'é🐘"\\\n' * 500_000
    assert server.value("select $1::text", [text]) == text


def test_a_reader_that_stops_is_given_up() -> None:
    with running("--write-timeout-ms", "500", "--pool-size", "1") as server:
        with server.connect() as sock:
            body = b"select repeat('x', 1000) from generate_series(1, 1000000)"
            sock.sendall(
                b"POST /query HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: stuck\r\n"
                + f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            assert sock.recv(1000).startswith(b"HTTP/1.1 200")
            # Nothing more is read; the only connection to the database must come free.
            wait_until(
                lambda: any(line.get("request_id") == "stuck" for line in server.log_lines()),
                "the stuck request ends",
            )
        assert server.value("select 1") == 1
