"""Bad input: a 4xx in JSON that says what was wrong, and a connection that goes on."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator

import pytest
import requests
from harness import PATIENCE, Server, read_all, read_response, request_bytes, running

# body, code, a part of the message
BAD = [
    (b'{"sql": "select 1"', "bad_request", "not valid JSON"),
    (b"{", "bad_request", "not valid JSON"),
    (b'{"sql": "select 1"} trailing', "bad_request", "not valid JSON"),
    (b'{"sql": "select 1", "parms": []}', "bad_request", 'did you mean "params"?'),
    (b'{"sql": 1}', "bad_request", '"sql" must be a string'),
    (b'{"sql": "select 1", "timeout_ms": "1"}', "bad_request", "whole number"),
    (b'{"sql": "select 1", "sql": "select 2"}', "bad_request", "twice"),
    (b'{"sql": "select $1", "params": ["\\u0000"]}', "bad_request", "U+0000"),
    (b'{"sql": "select \\u0000"}', "bad_request", "U+0000"),
    (b"select '\x00'", "bad_request", "U+0000"),
    (b"select '\xff'", "bad_request", "UTF-8"),
    (b'{"sql": "select \'\xff\'"}', "bad_request", "not valid JSON"),
    (b"", "bad_request", "empty"),
    (b" \n", "bad_request", "empty"),
    (b'{"sql": "select $1::int + $2::int", "params": [1]}', "08P01", "2"),
    (b'{"sql": "select 1", "params": [1]}', "08P01", "1"),
    (b"select 1; select 2", "42601", "multiple commands"),
    (b"selct 1", "42601", "syntax error"),
    (b"select * from no_such_table", "42P01", "no_such_table"),
    (b'{"sql": "select $1::int", "params": ["x"]}', "22P02", "integer"),
    (b'{"sql": "select $1::int", "params": [{"a": 1}]}', "22P02", "integer"),
    (b"copy (select 1) to stdout", None, "COPY"),
    (b"copy pg_class from stdin", None, "COPY"),
    (b'{"sql": "select 1", "isolation": "serializable"}', "bad_request", "batch"),
]


@pytest.mark.parametrize(("body", "code", "message"), BAD, ids=[repr(b[0])[:60] for b in BAD])
def test_each_is_a_400_and_the_connection_goes_on(
    server: Server, body: bytes, code: str | None, message: str
) -> None:
    with server.connect() as sock:
        sock.sendall(request_bytes(body))
        status, headers, answer = read_response(sock)
        assert status == 400, answer
        assert headers["content-type"] == "application/json"
        error = json.loads(answer)["error"]
        assert message in error["message"], error
        if code is not None:
            assert error["code"] == code
        assert error["severity"] == "ERROR"
        for field in ("detail", "hint", "position", "schema", "table", "column", "constraint"):
            assert field in error
        sock.sendall(request_bytes(b"select 1 as one"))
        assert read_response(sock)[0] == 200


def test_an_error_of_postgresql_has_all_its_fields(server: Server, table: str) -> None:
    assert server.post(f"insert into {table} values (1, 'x')").status_code == 200
    status, error = server.error(f"insert into {table} values (1, 'y')")
    assert (status, error["code"], error["table"]) == (409, "23505", table)
    assert error["detail"] == "Key (id)=(1) already exists."
    assert error["constraint"] == f"{table}_pkey"
    status, error = server.error("select 'é', nope from pg_class")
    assert (status, error["code"], error["position"]) == (400, "42703", 13)
    status, error = server.error(f"insert into {table} (name) values ('z')")
    assert (status, error["code"], error["column"]) == (400, "23502", "id")
    status, error = server.error(
        "do $$begin raise 'oh' using detail = 'd', hint = 'h', errcode = 'P0001'; end$$"
    )
    assert (status, error["message"], error["detail"], error["hint"]) == (400, "oh", "d", "h")
    assert "PL/pgSQL" in error["context"]


def test_unknown_paths_and_methods(server: Server) -> None:
    def asked(method: str, path: str, body: bytes | None = None) -> requests.Response:
        return server.session.request(method, server.url + path, data=body, timeout=PATIENCE)

    for path in ("/", "/nope", "/query/", "/queryx", "/Query"):
        for method in ("GET", "POST"):
            answer = asked(method, path, b"select 1" if method == "POST" else None)
            assert answer.status_code == 404, path
            assert answer.json()["error"]["code"] == "not_found"
            assert "POST /query" in answer.json()["error"]["hint"]
    for method in ("GET", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"):
        answer = asked(method, "/query", b"select 1")
        assert answer.status_code == 405, method
        assert answer.headers["Allow"] == "POST, OPTIONS"
        assert answer.json()["error"]["code"] == "method_not_allowed"
    assert asked("DELETE", "/livez").headers["Allow"] == "GET, HEAD"
    assert asked("POST", "/query?timeout_ms=1", b"select 1").status_code == 400


def test_a_refused_request_with_a_body_leaves_the_connection_in_step(server: Server) -> None:
    with server.connect() as sock:
        body = b"GET /livez HTTP/1.1\r\nHost: smuggled\r\n\r\n" * 100
        sock.sendall(
            b"POST /nope HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
            + str(len(body)).encode()
            + b"\r\n\r\n"
            + body
        )
        assert read_response(sock)[0] == 404
        sock.sendall(request_bytes(b"select 1 as one"))
        assert read_response(sock)[0] == 200


RAW = [
    (b"GET /%71uery HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
    (b"nonsense\r\n\r\n", 400),
    (b"GET /livez HTTP/1.1\r\n\r\n", 400),  # no Host
    (b"GET /livez HTTP/1.1\nHost: x\n\n", 400),
    (b"GET /livez HTTP/3.0\r\nHost: x\r\n\r\n", 505),
    (b"GET /livez HTTP/1.1\r\nHost: x\r\nbad line\r\n\r\n", 400),
    (b"GET /livez HTTP/1.1\r\nHost: x\r\nA: \x01\r\n\r\n", 400),
    (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    (b"GET /livez HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 9000 + b"\r\n\r\n", 431),
    (b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
    (b"GET /livez HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 100_000, 431),
    (b"POST /query HTTP/1.1\r\nHost: localhost\r\n\r\n", 411),
    (b"POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", 400),
    (b"POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400),
    (
        (
            b"POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        ),
        400,
    ),
    (
        b"POST /query HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n",
        501,
    ),
    (
        b"POST /query HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        400,
    ),
    (
        (
            b"POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
            b"Content-Encoding: gzip\r\n\r\nxxxxx"
        ),
        400,
    ),
    (b"POST /query HTTP/1.1\r\nHost: localhost\r\nExpect: x\r\nContent-Length: 1\r\n\r\n", 417),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n", 400),  # TLS to a plain port
]


@pytest.mark.parametrize(("data", "status"), RAW, ids=[repr(r[0])[:60] for r in RAW])
def test_malformed_http_is_answered_in_json(server: Server, data: bytes, status: int) -> None:
    with server.connect() as sock:
        sock.sendall(data)
        got, headers, body = read_response(sock)
        assert got == status, body
        assert "message" in json.loads(body)["error"]
        if status != 411:
            assert headers["connection"] == "close"
    assert server.get("/livez").status_code == 200


def test_a_huge_body_is_refused_by_its_length_alone(server: Server) -> None:
    # A client that reads before it has sent everything.
    with server.connect() as sock:
        sock.sendall(
            b"POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 104857600\r\n\r\n"
        )
        status, _, body = read_response(sock)
        assert status == 413
        assert json.loads(body)["error"]["code"] == "payload_too_large"
    # A client that sends all of it first.
    response = server.post(b"x" * 100_000_000)
    assert response.status_code == 413
    assert "16777216 bytes" in response.json()["error"]["message"]
    # One that asks first is not told to go on.
    with server.connect() as sock:
        sock.sendall(
            b"POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 104857600\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert read_response(sock)[0] == 413


def test_a_huge_body_without_a_length_is_refused(server: Server) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(40):
            yield b"x" * 1_000_000

    with server.connect() as sock:
        sock.sendall(
            b"POST /query HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        try:
            for chunk in chunks():
                sock.sendall(b"%x\r\n" % len(chunk) + chunk + b"\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert read_response(sock)[0] == 413


def test_a_compressed_bomb_is_refused(server: Server) -> None:
    import zlib

    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = packer.compress(b"select 1" + b" " * 100_000_000) + packer.flush()
    assert len(bomb) < 200_000
    status, error = server.error(bomb, headers={"Content-Encoding": "gzip"})
    assert (status, error["code"]) == (413, "payload_too_large")


def test_a_body_at_the_limit_passes(server: Server) -> None:
    body = b"select 1 as one" + b" " * (16777216 - 15)
    assert server.post(body).status_code == 200
    assert server.post(body + b" ").status_code == 413


def test_slow_senders_are_cut_off() -> None:
    with running("--read-timeout-ms", "700") as server:

        def drip(prefix: bytes) -> bytes:
            with server.connect() as sock:
                sock.sendall(prefix)
                sock.settimeout(0.05)
                answer = b""
                deadline = time.monotonic() + PATIENCE
                while time.monotonic() < deadline:
                    try:
                        part = sock.recv(65536)
                        if not part:
                            return answer
                        answer += part
                    except socket.timeout:  # noqa: UP041 - reads better here
                        pass
                    except ConnectionResetError:
                        return answer
                    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                        sock.send(b"x")  # always something, never enough
                message = "the trickle was never cut off"
                raise AssertionError(message)

        head = drip(b"POST /query HTTP/1.1\r\nHost: localhost\r\nX: ")
        assert head.startswith(b"HTTP/1.1 408 ")
        assert b"request_timeout" in head
        body = drip(b"POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")
        assert body.startswith(b"HTTP/1.1 408 ")
        # The next one is fine.
        assert server.value("select 1") == 1


def test_idle_connections_are_closed() -> None:
    with running("--idle-timeout-ms", "300") as server, server.connect() as sock:
        sock.sendall(request_bytes(b"select 1"))
        assert read_response(sock)[0] == 200
        assert read_all(sock) == b""
