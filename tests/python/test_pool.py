"""The pool: many threads, few connections, clean sessions, no leaks, and forks."""

import gc
import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from observer import Observer

import libquery


def test_sixteen_threads_share_a_pool(dsn: str) -> None:
    with libquery.Pool(dsn, max_size=4, max_wait=30) as pool:

        def work(number: int) -> int:
            dice = random.Random(number)
            for step in range(60):
                value = number * 1000 + step
                choice = dice.randrange(5)
                if choice == 0:
                    assert pool.query("select $1::int, $1::text", [value]) == [(value, str(value))]
                elif choice == 1:
                    assert f'"v":{value}'.encode() in pool.query_json(
                        "select $1::int as v", [value]
                    )
                elif choice == 2:
                    with pool.transaction() as tx:
                        tx.query(f"set local application_name = 'v{value}'")
                        assert tx.query("show application_name") == [(f"v{value}",)]
                elif choice == 3:
                    lines = pool.stream_json(
                        "select $1::int + i as v from generate_series(1, 500) as g(i)", [value],
                        framing="lines", chunk_size=512,
                    )  # fmt: skip
                    assert b"".join(lines).endswith(b'{"v":%d}\n' % (value + 500))
                else:
                    with pytest.raises(libquery.SqlError, match=f'"{value}"'):
                        pool.query(f"select '{value}'::uuid")
            return number

        with ThreadPoolExecutor(16) as threads:
            assert sorted(threads.map(work, range(16))) == list(range(16))
        stats = pool.stats()
        assert 1 <= stats.size <= 4
        assert stats.idle == stats.size
        assert stats.waited > 0
        assert stats.discarded == 0


def test_waiting_does_not_hold_the_gil(pool: libquery.Pool) -> None:
    """While one thread waits for the database, another runs Python."""
    for wait in (
        lambda: pool.query("select pg_sleep(0.5)"),
        lambda: pool.query_json("select pg_sleep(0.5)"),
        lambda: list(pool.stream_json("select pg_sleep(0.5)")),
        lambda: pool.batch(["select pg_sleep(0.5)"]),
    ):
        waiter = threading.Thread(target=wait)
        waiter.start()
        turns = 0
        while waiter.is_alive():
            time.sleep(0.001)
            turns += 1
        assert turns > 100


def test_sessions_are_clean(dsn: str) -> None:
    with libquery.Pool(dsn, max_size=1) as pool:
        ((pid,),) = pool.query("select pg_backend_pid()")
        pool.query("set application_name = 'mine'")
        pool.query("set search_path = pg_catalog")
        pool.query("set my.secret = 'x'")
        pool.query("create temp table leftover ()")
        pool.query("select pg_advisory_lock(4711)")
        pool.query("prepare mine as select 1")
        pool.query("listen here")
        assert pool.query("select pg_backend_pid()") == [(pid,)]
        assert pool.query(
            "select current_setting('application_name') = 'mine',"
            " current_setting('search_path') = 'pg_catalog',"
            " nullif(current_setting('my.secret', true), ''), to_regclass('pg_temp.leftover'),"
            " (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()),"
            " (select count(*) from pg_prepared_statements where from_sql),"
            " (select count(*) from pg_listening_channels())"
        ) == [(False, False, None, None, 0, 0, 0)]


def test_without_reset_a_session_is_as_it_was_left(dsn: str) -> None:
    with libquery.Pool(dsn, max_size=1, reset_session=False) as pool:
        pool.query("set my.word = 'kept'")
        assert pool.query("show my.word") == [("kept",)]


def test_read_only_cannot_be_left(pool: libquery.Pool, table: str) -> None:
    for sql in (
        f"insert into {table} values (1, 'a')",
        "set transaction read write",
        "create temp table t as select 1",
    ):
        with pytest.raises(libquery.SqlError):
            pool.query(sql, read_only=True)
    assert pool.query(f"select count(*) from {table}", read_only=True) == [(0,)]


def test_busy(dsn: str, observer: Observer) -> None:
    with libquery.Pool(dsn, max_size=1, max_waiting=1, max_wait=0.3) as pool:
        holder = threading.Thread(target=pool.query, args=["select pg_sleep(1.5) /* holder */"])
        holder.start()
        observer.wait_for("holder")
        started = time.monotonic()
        with pytest.raises(libquery.Busy, match="within 300 ms") as caught:
            pool.query("select 1")
        assert 0.25 < time.monotonic() - started < 1.2
        assert caught.value.retryable
        with pytest.raises(libquery.Timeout):
            pool.query("select 1", timeout=0.1)
        assert pool.stats().refused_busy == 1
        holder.join()
        assert pool.query("select 1") == [(1,)]


def test_closing(dsn: str) -> None:
    pool = libquery.Pool(dsn)
    pool.query("select 1")
    assert pool.stats().idle == 1
    pool.close_idle()
    assert pool.stats().size == 0
    assert pool.query("select 1") == [(1,)]
    pool.close()
    pool.close()
    with pytest.raises(libquery.Busy, match="closed"):
        pool.query("select 1")


def test_stats_count(dsn: str) -> None:
    with libquery.Pool(dsn, max_size=2) as pool:
        assert pool.stats() == libquery.PoolStats(*[0] * 12)
        for _ in range(3):
            pool.query("select 1")
        stats = pool.stats()
        assert (stats.size, stats.idle, stats.acquired, stats.connected) == (1, 1, 3, 1)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"conninfo": "nonsense"}, ValueError, 'missing "="'),
        ({"conninfo": "nokey=1"}, ValueError, "nokey"),
        ({"conninfo": 7}, TypeError, "conninfo must be a str, not int"),
        ({"max_size": 0}, ValueError, "max_size"),
        ({"max_size": -1}, ValueError, "max_size must not be negative"),
        ({"max_size": 1.5}, TypeError, "max_size must be an int, not float"),
        ({"max_wait": "1"}, TypeError, "max_wait must be a number of seconds"),
        ({"max_wait": -1}, ValueError, "max_wait must not be negative"),
    ],
)
def test_a_wrong_option_is_named(
    options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        libquery.Pool(**options)


def test_prepared_statements_can_be_turned_off(dsn: str) -> None:
    with libquery.Pool(dsn, max_size=1, statement_cache=0) as pool:
        for _ in range(3):
            assert pool.query("select $1::int[], $2::jsonb", [[1], [1]]) == [([1], [1])]
        assert pool.query("select count(*) from pg_prepared_statements") == [(0,)]


def test_a_changed_table_heals(pool: libquery.Pool, table: str) -> None:
    for width in range(2, 5):
        assert len(pool.query(f"select * from {table}").columns) == width
        pool.query(f"alter table {table} add column c{width} int")


def test_a_child_of_a_fork_is_refused_and_leaves_the_parent_alone(dsn: str) -> None:
    with libquery.Pool(dsn, max_size=1) as pool:
        ((pid,),) = pool.query("select pg_backend_pid()")
        stream = pool.stream_json("select i from generate_series(1, 1000) as g(i)", chunk_size=1)
        next(stream)
        child = os.fork()
        if child == 0:
            refused = 0
            for use in (lambda: pool.query("select 1"), pool.stats, lambda: next(stream)):
                try:
                    use()
                except RuntimeError as error:
                    refused += "belongs to the parent process" in str(error)
            del use, stream, pool
            gc.collect()
            with libquery.Pool(dsn) as own:
                refused += own.query("select 1") == [(1,)]
            os._exit(refused)
        deadline = time.monotonic() + 30
        while (status := os.waitpid(child, os.WNOHANG))[0] == 0:
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
            time.sleep(0.01)
        assert os.waitstatus_to_exitcode(status[1]) == 4
        assert b"1000" in b"".join(stream)
        assert pool.query("select pg_backend_pid()") == [(pid,)]


def test_nothing_leaks(dsn: str) -> None:
    def resident() -> int:
        gc.collect()
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * 4096

    values = "1, 2.5::float8, 1.10::numeric, 'text', null, now(), current_date, '{1,NULL}'::int[]"
    values += ", '{\"a\": [1.5]}'::jsonb, '\\xdead'::bytea, gen_random_uuid(), interval '1 day'"
    many = f"select {values} from generate_series(1, 20)"
    with libquery.Pool(dsn, max_size=1) as pool:

        def round_trip() -> None:
            pool.query(many)
            pool.query("select $1::jsonb, $2::int[]", [{"a": ["x" * 500]}, [1, 2]])
            pool.query_json(many)
            pool.batch([many, ("select $1::text", ["x" * 500])])
            with pool.stream_json(many, chunk_size=10) as stream:
                next(stream)
            with pool.transaction() as tx:
                tx.query(many)
            with pytest.raises(libquery.SqlError):
                pool.query("select * from nowhere")
            with pytest.raises(TypeError):
                pool.query("select $1", [["x" * 500, object()]])

        for _ in range(50):
            round_trip()
        before = resident()
        for _ in range(400):
            round_trip()
        # A leak of one value, row, error or statement in each round would be well above this.
        assert resident() - before < 2 << 20
        assert pool.stats().size == 1
