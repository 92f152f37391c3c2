"""Asks query-server at full load while its backends are being killed, and compares every answer.

64 clients look up keys over the express lane; others change session state, write, send batches and
read large results over the private one, and see whether anything of it shows where it must not. An
answer is the right one or a clear 503, or if it is large it may be cut. Every row whose insertion was confirmed must be there once,
every other at most once. Ends with 1 at the first thing that is otherwise.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import random
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench import LOOKUP, Database, Server, run

KILL = """
select count(pg_terminate_backend(pid)) from (
  select pid from pg_stat_activity
  where backend_type = 'client backend' and pid <> pg_backend_pid()
  order by random() limit {}) as victims
"""
READ_MUCH = "select g + $1::bigint from generate_series(1, 20000) g"
WRITE = "insert into ledger values ($1) returning id"


def question(number: int) -> tuple[dict[str, Any], list[Any]]:
    """A request and the rows of each of its statements."""
    several = [{"sql": "select $1::bigint", "params": [number]}, {"sql": "select 2"}]
    change_state = "select $1::bigint, set_config('soak.mark', $2, false)"
    see_none = "select coalesce(current_setting('soak.mark', true), '')"
    questions: list[tuple[dict[str, Any], list[Any]]] = [
        ({"sql": WRITE, "params": [number]}, [[[number]]]),
        ({"sql": READ_MUCH, "params": [number]}, [[[g + number] for g in range(1, 20001)]]),
        ({"sql": change_state, "params": [number, str(number)]}, [[[number, str(number)]]]),
        ({"sql": see_none}, [[[""]]]),
        ({"batch": several}, [[[number]], [[2]]]),
    ]
    return questions[number % len(questions)]


class Soak:
    def __init__(self, database: Database, port: int) -> None:
        self.database = database
        self.port = port
        self.over = threading.Event()
        self.numbers = itertools.count()
        self.killed = 0
        self.counts: Counter[str] = Counter()
        self.written: set[int] = set()
        self.perhaps_written: set[int] = set()

    def kill(self) -> None:
        """Ends one to twelve backends of the server at a time, a few times a second."""
        while not self.over.wait(random.uniform(0.1, 1)):
            victims = KILL.format(random.choice([1, 1, 2, 12]))
            self.killed += int(run("psql", "-AtXc", victims, self.database.dsn))

    def ask(self) -> None:
        """Is one client."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not self.over.is_set():
            number = next(self.numbers)
            asked, expected = question(number)
            sql = asked.get("sql")
            connection.request("POST", "/query", json.dumps({**asked, "rows": "arrays"}))
            answer = connection.getresponse()
            try:
                text = answer.read()
            except http.client.IncompleteRead:  # its rows were on their way: it can only be cut
                if sql != READ_MUCH:
                    raise
                self.counts["cut"] += 1
                connection.close()
                continue
            self.counts[str(answer.status)] += 1
            if answer.status == 200:
                document = json.loads(text)
                rows = [each["rows"] for each in document.get("results", [document])]
                assert rows == expected, f"{asked} was answered with {text[:500]!r}"
            else:
                assert answer.status == 503, f"{asked}: {answer.status} {text[:500]!r}"
            if sql == WRITE:
                (self.written if answer.status == 200 else self.perhaps_written).add(number)

    def check_ledger(self) -> None:
        found = Counter(map(int, run("psql", "-AtXc", "table ledger", self.database.dsn).split()))
        lost = self.written - found.keys()
        assert not lost, f"confirmed, but lost: {lost}"
        unknown = found.keys() - self.written - self.perhaps_written
        assert not unknown, f"never asked for: {unknown}"
        assert set(found.values()) <= {1}, f"more than once: {found.most_common(5)}"


def soak(build: Path, database: Database, seconds: float) -> dict[str, Any]:
    run("psql", "-qc", "create table ledger (id bigint)", database.dsn)
    flags = ["--listen", "127.0.0.1:0", "--database", database.dsn]
    server = Server(build / "server/query-server", *flags).ready("/readyz")
    try:
        trial = Soak(database, server.port)
        load = [build / "tests/bench/load", *LOOKUP, "--connections", 64, "--port", server.port]
        with ThreadPoolExecutor() as threads:
            others = [threads.submit(work) for work in (trial.kill, *[trial.ask] * 4)]
            try:
                early = json.loads(run(*load, "--seconds", seconds / 4))
                before = server.memory()
                late = json.loads(run(*load, "--seconds", seconds * 3 / 4))
            finally:
                trial.over.set()
        for other in others:
            other.result()
        trial.check_ledger()
        assert early["reconnects"] + late["reconnects"] == 0, f"cut: {early} {late}"
        return {
            "seconds": seconds,
            "backends_killed": trial.killed,
            "look_ups": round((early["rps"] + 3 * late["rps"]) / 4 * seconds),
            "look_ups_503": early["refused"] + late["refused"],
            "others": trial.counts,
            "written": len(trial.written),
            "memory_mb": [round(bytes_ / 1e6, 1) for bytes_ in (before, server.memory())],
        }
    finally:
        server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("build", type=Path, help="the build's folder")
    parser.add_argument("--seconds", type=float, default=600)
    options = parser.parse_args()
    build = options.build.resolve()
    start = time.monotonic()
    database = Database(build / "soak-database")
    try:
        print(json.dumps(soak(build, database, options.seconds)))
    except (AssertionError, OSError, http.client.HTTPException) as error:
        sys.exit(f"soak: after {time.monotonic() - start:.0f} s: {error!r}")
    finally:
        database.stop()


if __name__ == "__main__":
    main()
