"""Many clients on few threads: slow ones, greedy ones, silent ones, and those that leave."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

from harness import (
    FREES_AT_ONCE,
    PATIENCE,
    Background,
    Server,
    read_all,
    read_response,
    request_bytes,
    running,
    wait_until,
)

CHUNKED = b"POST /query HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_clients_that_drip_hold_nobody_up() -> None:
    beginnings = [
        b"POST /query HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        b"POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n",
        CHUNKED,
        CHUNKED + b"ffff\r\n",
    ]
    with running("--workers", "1", "--pool-size", "2") as server, ExitStack() as stack:
        slow = [stack.enter_context(server.connect()) for _ in range(300)]
        for number, sock in enumerate(slow):
            sock.sendall(beginnings[number % len(beginnings)])
        stop = threading.Event()

        def drip() -> None:
            while not stop.wait(0.05):
                for number, sock in enumerate(slow):
                    with contextlib.suppress(OSError):
                        sock.send(b"0" if number % len(beginnings) == 2 else b"x")

        dripping = Background(drip)
        try:
            for number in range(50):
                assert server.value("select $1::int", [number]) == number
            assert dripping.running()
        finally:
            stop.set()
        dripping.result()


def test_a_client_that_sends_and_never_reads_is_bounded_and_cut_off() -> None:
    flags = ("--write-timeout-ms", "2000")
    with running(*flags, env=FREES_AT_ONCE) as server, server.connect() as sock:
        assert server.value("select 1") == 1
        before = server.resident_kb()
        request = request_bytes(b"select repeat('x', 50000) as x")
        sock.setblocking(False)
        end = time.monotonic() + PATIENCE
        cut_off = False
        while not cut_off:
            assert time.monotonic() < end, "a client that never reads is never cut off"
            try:
                sock.send(request * 100)
            except BlockingIOError:
                time.sleep(0.02)
            except (ConnectionResetError, BrokenPipeError):
                cut_off = True
        # One answer after the other is made, and none while the last was not taken.
        assert server.resident_kb() - before < 32 * 1024
        assert server.value("select 1") == 1


def test_many_small_requests_at_once_are_all_answered(server: Server) -> None:
    with server.connect() as sock:
        sender = threading.Thread(
            target=sock.sendall, args=(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * 20_000,)
        )
        sender.start()
        answers = 0
        rest = b""
        while answers < 20_000:
            part = sock.recv(1 << 20)
            assert part
            rest += part
            answers += rest.count(b'{"status":"ok"}')
            rest = rest[-14:]
        sender.join()


def test_a_request_that_closes_is_the_last_one(server: Server) -> None:
    requests = [
        request_bytes(b"select 1 as a"),
        request_bytes(b"select 2 as a", "Connection: close"),
        request_bytes(b"select 3 as a"),
    ]
    answer = server.raw(b"".join(requests))
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert b'"rows":[{"a":2}]' in answer
    assert b'"rows":[{"a":3}]' not in answer


def test_a_client_that_has_said_all_gets_its_answers(server: Server) -> None:
    with server.connect() as sock:
        sock.sendall(
            b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        sock.shutdown(socket.SHUT_WR)
        answer = read_all(sock)
    assert answer.count(b"HTTP/1.1 ") == 2
    assert b"HTTP/1.1 404 " in answer


def test_chunks_may_be_cut_anywhere_and_the_connection_goes_on(server: Server) -> None:
    body = b"7\r\nselect \r\n1;extension=1\r\n4\r\n5\r\n2 as \r\n1\r\na\r\n0\r\nTrailer: x\r\n\r\n"
    with server.connect() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(2):
            for byte in CHUNKED + body:
                sock.sendall(bytes([byte]))
            status, _, answer = read_response(sock)
            assert status == 200, answer
            assert json.loads(answer)["rows"] == [{"a": 42}]


def test_100_continue_comes_in_its_turn(server: Server) -> None:
    body = b"select 42 as a"
    expecting = request_bytes(body, "Expect: 100-continue")
    head = expecting[: -len(body)]
    with server.connect() as sock:
        # Behind a request that takes a while.
        sock.sendall(request_bytes(b"select pg_sleep(0.2)::text") + head)
        assert read_response(sock)[0] == 200
        assert sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(body)
        status, _, answer = read_response(sock)
        assert (status, json.loads(answer)["rows"]) == (200, [{"a": 42}])
        # A client that does not wait needs none.
        sock.sendall(expecting)
        assert read_response(sock)[0] == 200


def test_idle_connections_cost_little_and_all_work() -> None:
    with running("--idle-timeout-ms", "60000", env=FREES_AT_ONCE) as server, ExitStack() as stack:
        assert server.value("select 1") == 1
        before = server.resident_kb()
        clients = [stack.enter_context(server.connect()) for _ in range(1000)]
        for sock in clients:
            sock.sendall(request_bytes(b"select 1"))
            assert read_response(sock)[0] == 200
        if not server.has_shadow_memory():
            assert server.resident_kb() - before < 1000 * 16
        for sock in clients:
            sock.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        for sock in clients:
            assert read_response(sock)[0] == 200


def states(server: Server) -> Iterator[socket.socket]:
    """Clients in every state that a connection can be in."""
    yield server.connect()
    for data in (
        b"POST /query HT",
        b"POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nselect",
        CHUNKED + b"5\r\nse",
        b"nonsense\r\n\r\n",
        request_bytes(b"select 1"),
        request_bytes(b"select pg_sleep(60)"),
        request_bytes(b"select repeat('x', 1000) from generate_series(1, 1000000)"),
        request_bytes(b"select 1", "Connection: close"),
    ):
        sock = server.connect()
        sock.sendall(data)
        yield sock


def test_the_server_ends_whatever_its_clients_do() -> None:
    with running("--drain-timeout-ms", "500") as server, ExitStack() as stack:
        for sock in states(server):
            stack.enter_context(sock)
        wait_until(
            lambda: server.value(
                "select count(*) from pg_stat_activity where query = 'select pg_sleep(60)'"
            ),
            "the slow one runs",
        )
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
