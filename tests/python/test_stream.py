"""Streams: an answer in chunks, in constant memory, and what ends one early."""

import csv
import gc
import io
import json
import threading
import time

import pytest

import libquery

MANY = "select i, md5(i::text) as hash from generate_series(1, 200000) as g(i)"

# Rows beyond PostgreSQL's send buffer of 8 KiB, so that each is sent when it is made.
SLOW = "select repeat('x', 20000), pg_sleep(0.3) from generate_series(1, 30) as g(i)"


def test_the_chunks_are_the_document(pool: libquery.Pool) -> None:
    stream = pool.stream_json(MANY, chunk_size=10_000)
    chunks = list(stream)
    assert b"".join(chunks) == pool.query_json(MANY)
    assert len(chunks) > 100
    assert all(0 < len(chunk) < 20_000 for chunk in chunks)
    assert stream.row_count == 200_000
    assert not stream.truncated
    assert list(stream) == []


def test_lines(pool: libquery.Pool) -> None:
    body = b"".join(
        pool.stream_json("select i, null as n from generate_series(1, 3) as g(i)", framing="lines")
    )
    assert body == b'{"i":1,"n":null}\n{"i":2,"n":null}\n{"i":3,"n":null}\n'
    body = b"".join(pool.stream_json("select 1, 'a'", framing="lines", rows="arrays"))
    assert [json.loads(line) for line in body.splitlines()] == [[1, "a"]]
    assert list(pool.stream_json("select 1 where false", framing="lines")) == []


def test_csv(pool: libquery.Pool) -> None:
    body = b"".join(
        pool.stream_json(
            "select 1 as id, 'a \"b\", c' as name, null as nothing, '{1,2}'::int[] as list",
            framing="csv",
        )
    )
    assert body == b'id,name,nothing,list\r\n1,"a ""b"", c",,"{1,2}"\r\n'
    assert next(iter(csv.DictReader(io.StringIO(body.decode()))))["name"] == 'a "b", c'


def test_max_rows_and_params(pool: libquery.Pool) -> None:
    stream = pool.stream_json(
        "select i from generate_series($1::int, 9) as g(i)", [5], max_rows=2, framing="lines"
    )
    assert b"".join(stream) == b'{"i":5}\n{"i":6}\n'
    assert stream.truncated
    assert stream.row_count == 2


def test_an_error_is_raised_at_the_call(pool: libquery.Pool) -> None:
    with pytest.raises(libquery.SqlError, match="does not exist"):
        pool.stream_json("select * from nowhere")


def test_a_late_error_is_raised_at_its_chunk(pool: libquery.Pool) -> None:
    stream = pool.stream_json(
        "select 1 / (i - 100000) from generate_series(1, 200000) as g(i)", chunk_size=1000
    )
    read: list[bytes] = []
    with pytest.raises(libquery.SqlError) as caught:
        read.extend(stream)
    assert caught.value.sqlstate == "22012"
    assert read
    with pytest.raises(json.JSONDecodeError):
        json.loads(b"".join(read))
    assert list(stream) == []
    assert pool.query("select 1") == [(1,)]


def test_closing_early_cancels(dsn: str) -> None:
    # Not in FROM, where PostgreSQL would make all of it before the first row.
    endless = "select generate_series(1, 1000000000) as i"
    with libquery.Pool(dsn, max_size=1) as pool:
        for close in ("close", "with", "forget"):
            started = time.monotonic()
            stream = pool.stream_json(endless, framing="lines")
            assert next(stream).startswith(b'{"i":1}\n')
            if close == "close":
                stream.close()
                stream.close()
                assert list(stream) == []
            elif close == "with":
                with stream:
                    pass
            del stream
            gc.collect()
            # The pool's only connection is free again.
            assert pool.query("select 1", timeout=5) == [(1,)]
            assert time.monotonic() - started < 5


def test_a_stream_is_for_one_thread_at_a_time(pool: libquery.Pool) -> None:
    stream = pool.stream_json(SLOW, chunk_size=1, max_rows=3, read_only=True)
    reader = threading.Thread(target=lambda: list(stream))
    reader.start()
    time.sleep(0.15)
    with pytest.raises(RuntimeError, match="this stream is in use by another thread"):
        next(stream)
    reader.join(10)
    assert not reader.is_alive()


def test_the_timeout_goes_on_to_the_last_chunk(pool: libquery.Pool) -> None:
    stream = pool.stream_json(SLOW.replace("0.3", "0.05"), timeout=0.5, chunk_size=1)
    with pytest.raises(libquery.Timeout):
        list(stream)


def test_a_stream_outlives_its_pool(dsn: str) -> None:
    pool = libquery.Pool(dsn)
    stream = pool.stream_json("select i from generate_series(1, 50000) as g(i)", framing="lines")
    pool.close()
    del pool
    gc.collect()
    assert b"".join(stream).count(b"\n") == 50_000


def test_a_million_rows_need_no_memory(pool: libquery.Pool) -> None:
    def resident() -> int:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * 4096

    for _ in pool.stream_json("select 1"):
        pass
    before = peak = resident()
    size = 0
    for number, chunk in enumerate(
        pool.stream_json("select i, md5(i::text) from generate_series(1, 1000000) as g(i)")
    ):
        size += len(chunk)
        if number % 50 == 0:
            peak = max(peak, resident())
    assert size > 50_000_000
    assert peak - before < 32 << 20
