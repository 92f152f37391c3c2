"""Times how libquery gets rows as JSON, and psycopg and asyncpg rows that orjson makes JSON of.

Prints the seconds of each repetition, all over one connection whose statement is prepared.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

import asyncpg
import orjson
import psycopg
from psycopg.rows import dict_row

import libquery


def to_json(rows: Iterable[Mapping[str, Any]]) -> bytes:
    # orjson knows time stamps; Decimal, among others, becomes text.
    return orjson.dumps({"rows": rows}, default=str)


def with_libquery(url: str, sql: str, repetitions: int) -> tuple[list[float], int]:
    seconds = []
    size = 0
    with libquery.Pool(url, max_size=1) as pool:
        pool.query_json(sql)
        for _ in range(repetitions):
            start = time.perf_counter()
            size = len(pool.query_json(sql))
            seconds.append(time.perf_counter() - start)
    return seconds, size


def with_psycopg(url: str, sql: str, repetitions: int) -> tuple[list[float], int]:
    seconds = []
    size = 0
    with (
        psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection,
        connection.cursor() as cursor,  # binary=True took longer
    ):
        cursor.execute(sql, prepare=True).fetchall()
        for _ in range(repetitions):
            start = time.perf_counter()
            size = len(to_json(cursor.execute(sql, prepare=True).fetchall()))
            seconds.append(time.perf_counter() - start)
    return seconds, size


async def with_asyncpg(url: str, sql: str, repetitions: int) -> tuple[list[float], int]:
    seconds = []
    size = 0
    connection = await asyncpg.connect(url)
    statement = await connection.prepare(sql)
    await statement.fetch()
    for _ in range(repetitions):
        start = time.perf_counter()
        size = len(to_json([dict(record) for record in await statement.fetch()]))
        seconds.append(time.perf_counter() - start)
    await connection.close()
    return seconds, size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("name", choices=["libquery", "psycopg", "asyncpg"])
    parser.add_argument("sql")
    parser.add_argument("repetitions", type=int)
    options = parser.parse_args()
    url = os.environ["DATABASE_URL"]
    if options.name == "libquery":
        version = libquery.__version__
        seconds, size = with_libquery(url, options.sql, options.repetitions)
    elif options.name == "psycopg":
        version = psycopg.__version__
        seconds, size = with_psycopg(url, options.sql, options.repetitions)
    else:
        version = asyncpg.__version__
        seconds, size = asyncio.run(with_asyncpg(url, options.sql, options.repetitions))
    report = {"name": options.name, "version": version, "seconds": seconds, "bytes": size}
    json.dump(report, sys.stdout)
    print()


if __name__ == "__main__":
    main()
