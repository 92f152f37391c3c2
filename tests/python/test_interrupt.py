"""Ctrl-C, in a process of its own: the query ends, the server forgets it, the pool goes on."""

import signal
import subprocess
import sys
import threading
import time

import pytest
from observer import Observer

import libquery

PROGRAM = """
import sys, threading, time
import libquery

pool = libquery.Pool(sys.argv[1], max_size=2)
sql = "select pg_sleep(60) /* {marker} */"

def transaction():
    with pool.transaction() as tx:
        tx.query(sql)

def wait_in_line():
    holders = [pool.transaction().__enter__() for _ in range(2)]
    print("ready", flush=True)
    pool.query("select 1")

def endless():
    # Never waits: the rows come faster than they are read.
    pool.{endless}("select generate_series(1, 2000000000) /* {marker} */")

try:
    {call}
except KeyboardInterrupt:
    print("interrupted", flush=True)
{after}
"""

AFTER = "print(pool.query('select 1')[0][0])"


def run(
    dsn: str, observer: Observer, call: str, *, marker: str, endless: str = "query"
) -> tuple[str, float]:
    """The output of PROGRAM after a SIGINT, and how long it took to react."""
    after = "" if call == "wait_in_line()" else AFTER
    program = PROGRAM.format(marker=marker, call=call, endless=endless, after=after)
    process = subprocess.Popen(
        [sys.executable, "-c", program, dsn],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        if call == "wait_in_line()":
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.2)
        else:
            observer.wait_for(marker)
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=15)
        assert errors == ""
        assert process.returncode == 0
        return output, time.monotonic() - started
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("call", "endless"),
    [
        ("pool.query(sql)", "query"),
        ("pool.query_json(sql)", "query"),
        ("list(pool.stream_json(sql))", "query"),
        ("pool.batch([sql])", "query"),
        ("transaction()", "query"),
        ("endless()", "query"),
        ("endless()", "query_json"),
    ],
)
def test_it_ends_the_query_here_and_at_the_server(
    dsn: str, observer: Observer, call: str, endless: str
) -> None:
    marker = f"interrupt {call} {endless}".replace("'", "")
    output, seconds = run(dsn, observer, call, marker=marker, endless=endless)
    assert output == "interrupted\n1\n"
    assert seconds < 3
    observer.wait_for(marker, count=0, seconds=2)


def test_it_ends_the_wait_for_a_connection(dsn: str, observer: Observer) -> None:
    output, seconds = run(dsn, observer, "wait_in_line()", marker="unused")
    assert output == "interrupted\n"
    assert seconds < 1.5


def test_any_handler_may_raise(pool: libquery.Pool) -> None:
    class AlarmError(Exception):
        pass

    def ring(number: int, frame: object) -> None:
        raise AlarmError(number, frame)

    previous = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(AlarmError):
            pool.query("select pg_sleep(20)")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert pool.query("select 1") == [(1,)]


def test_a_handler_that_returns_ends_nothing(pool: libquery.Pool) -> None:
    rung = []
    previous = signal.signal(signal.SIGALRM, lambda number, _: rung.append(number))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        started = time.monotonic()
        assert pool.query("select 7 from pg_sleep(0.5)") == [(7,)]
        assert time.monotonic() - started >= 0.5
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert rung == [signal.SIGALRM]


def test_other_threads_are_not_interrupted(pool: libquery.Pool) -> None:
    """Signals are the main thread's; what another thread waits for goes on."""
    results = []
    worker = threading.Thread(
        target=lambda: results.append(pool.query("select 7 from pg_sleep(0.8)")[0][0])
    )
    worker.start()
    with pytest.raises(KeyboardInterrupt):
        threading.Timer(0.2, signal.raise_signal, [signal.SIGINT]).start()
        pool.query("select pg_sleep(20)")
    worker.join(10)
    assert results == [7]
