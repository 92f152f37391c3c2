"""Measures query-server and libquery beside what they are to be compared with.

Every figure is a ratio of two things measured in turns on this machine, the median of all rounds
with its least and greatest: absolute numbers of a machine that does other things too mean little.
Prints a table and writes the same as JSON. Needs PostgreSQL's server and client programs (pgbench,
psql), curl, and what `make bench` builds.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SQL = "select aid, bid, abalance, filler from pgbench_accounts where aid = $1"
ROW = '{"aid":@aid@,"bid":@bid@,"abalance":0,"filler":"' + " " * 84 + '"}'
COLUMNS = (
    '[{"name":"aid","type":"int4","oid":23},{"name":"bid","type":"int4","oid":23},'
    '{"name":"abalance","type":"int4","oid":23},{"name":"filler","type":"bpchar","oid":1042}]'
)
LOOKUP = [
    "--body",
    json.dumps({"sql": SQL, "params": ["@aid@"]}).replace('"@aid@"', "@aid@"),
    "--expect",
    '{"columns":' + COLUMNS + ',"rows":[' + ROW + '],"command":"SELECT","row_count":1}',
]
PEER_LOOKUP = ["--method", "GET", "--path", "/accounts/@aid@", "--expect", ROW]
LARGE = "select * from pgbench_accounts"
# 10,000 rows of six types.
MIXED = (
    "select i as id, i * 4294967296 as big, 'name of ' || i as name, i / 7.0 as ratio,"
    " timestamptz '2024-01-01 00:00:00+00' + i * interval '1 minute' as at, i % 2 = 0 as even"
    " from generate_series(1, 10000) i"
)


@dataclass
class Figure:
    """One ratio and the goal that it has."""

    goal: str
    compared: str
    bound: float
    at_least: bool
    unit: str = ""
    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def met(self) -> bool:
        return self.median >= self.bound if self.at_least else self.median <= self.bound

    def line(self) -> str:
        sign = ">=" if self.at_least else "<="
        span = f"{min(self.values):.2f} - {max(self.values):.2f}"
        verdict = "met" if self.met else "MISSED"
        return (
            f"{self.goal:4} {self.compared:66} {self.median:8.2f} {span:>17}"
            f"  {sign} {self.bound:g}{self.unit:4} {verdict}"
        )


def run(*command: object, **options: Any) -> str:
    """The output of a program that must succeed."""
    done: subprocess.CompletedProcess[str] = subprocess.run(
        [str(part) for part in command], text=True, stdout=subprocess.PIPE, check=False, **options
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}: {done.stdout}")
    return done.stdout


def seconds_of(*command: str) -> float:
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


class Database:
    """A throw-away PostgreSQL with pgbench's tables at scale 10."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.script = ROOT / "tests/pg_cluster.sh"
        run(self.script, "start", directory, "shared_buffers=512MB", "max_connections=200")
        self.dsn = (directory / "dsn").read_text().strip()
        self.pgbench("-i", "-s", "10", "-q", stderr=subprocess.DEVNULL)
        run("psql", "-qc", "vacuum (freeze, analyze) pgbench_accounts", self.dsn)

    @property
    def url(self) -> str:
        """The same for drivers that do not know libpq's keywords."""
        of = dict(part.split("=", 1) for part in self.dsn.split())
        query = urlencode({"host": of["host"], "port": of.get("port", "5432")})
        return f"postgresql://{of['user']}@/{of['dbname']}?{query}"

    def pgbench(self, *options: object, **more: Any) -> str:
        return run("pgbench", *options, self.dsn, **more)

    def look_ups(self, clients: int, seconds: float) -> float:
        """Transactions per second of `pgbench -S -M prepared`."""
        output = self.pgbench(
            *["-S", "-n", "-M", "prepared", "-c", clients, "-j", 2, "-T", round(seconds)],
            stderr=subprocess.DEVNULL,
        )
        found = re.search(r"tps = ([\d.]+)", output)
        assert found, output
        return float(found[1])

    def round_trip(self, seconds: float) -> float:
        """The median time of one prepared look-up over libpq, in microseconds."""
        with tempfile.TemporaryDirectory() as logs:
            self.pgbench(
                *["-S", "-n", "-M", "prepared", "-c", 1, "-T", round(seconds), "-l"],
                cwd=logs,
                stderr=subprocess.DEVNULL,
            )
            [log] = Path(logs).iterdir()
            return statistics.median(int(line.split()[2]) for line in log.open())

    def stop(self) -> None:
        run(self.script, "stop", self.directory, "immediate")


class Server:
    """A running HTTP server: ours or a peer."""

    def __init__(self, *command: object, port: int = 0, env: dict[str, str] | None = None) -> None:
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in stop()
        self.process = subprocess.Popen(
            [str(part) for part in command],
            env={**os.environ, **(env or {})},
            stdout=subprocess.DEVNULL,
            stderr=self.log if port == 0 else subprocess.DEVNULL,
            start_new_session=True,
        )
        self.port = port

    def ready(self, path: str) -> Server:
        deadline = time.monotonic() + 60
        while True:
            if self.port == 0:
                text = os.pread(self.log.fileno(), 65536, 0).decode()
                found = re.search(r"listening on http://127\.0\.0\.1:(\d+)", text)
                self.port = int(found[1]) if found else 0
            url = f"http://127.0.0.1:{self.port}{path}"
            asked = subprocess.run(["curl", "-sfo", "/dev/null", url], check=False)
            if self.port and asked.returncode == 0:
                return self
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{self.process.args!r} does not answer")
            time.sleep(0.1)

    def memory(self, name: str = "VmRSS") -> float:
        """In bytes; VmHWM is the most that there ever was."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(rf"{name}:\s+(\d+) kB", status)
        assert found
        return int(found[1]) * 1024

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Bench:
    def __init__(self, build: Path, rounds: int, seconds: float, database: Database) -> None:
        self.build = build
        self.rounds = rounds
        self.seconds = seconds
        self.database = database
        self.figures: list[Figure] = []
        self.skipped: list[str] = []

    def figure(self, goal: str, compared: str, bound: float, **more: Any) -> Figure:
        made = Figure(goal, compared, bound, at_least=more.pop("at_least", True), **more)
        self.figures.append(made)
        return made

    @contextmanager
    def server(self, *flags: object) -> Iterator[Server]:
        server = Server(
            self.build / "server/query-server",
            *["--listen", "127.0.0.1:0", "--database", self.database.dsn],
            *["--idle-timeout-ms", 600_000, *flags],
        ).ready("/readyz")
        try:
            yield server
        finally:
            server.stop()

    def load(self, server: Server, *flags: object, seconds: float | None = None) -> Any:
        """What the load generator reports; a wrong answer ends the benchmark."""
        flags = (*flags, "--port", server.port, "--seconds", seconds or self.seconds)
        if "--expect" not in flags:
            flags += tuple(LOOKUP)
        return json.loads(run(self.build / "tests/bench/load", *flags))

    def look_ups(self) -> None:
        compared = "look-ups/s, 64 clients : pgbench -S -M prepared -c64"
        throughput = self.figure("P1", compared, 0.8)
        tail = self.figure("P3", "latency at 64 clients, p99 : p50", 3, at_least=False)
        compared = "latency at 1 client, p50 : pgbench -S -c1, p50"
        alone = self.figure("P3", compared, 3, at_least=False)
        with self.server() as server:
            for _ in range(self.rounds):
                base = self.database.look_ups(64, self.seconds)
                load = self.load(server, "--connections", 64)
                throughput.values.append(load["rps"] / base)
                tail.values.append(load["p99_us"] / load["p50_us"])
                base = self.database.round_trip(self.seconds / 2)
                one = self.load(server, "--connections", 1, seconds=self.seconds / 2)
                alone.values.append(one["p50_us"] / base)

    def large_result(self) -> None:
        compared = "1,000,000 rows, time : psql copy"
        figure = self.figure("P4", compared, 1.2, at_least=False)
        with self.server() as server:
            for _ in range(self.rounds):
                base = seconds_of("psql", "-qc", f"copy ({LARGE}) to stdout", self.database.dsn)
                url = f"http://127.0.0.1:{server.port}/query"
                own = seconds_of("curl", "-sfo", "/dev/null", url, "-d", LARGE)
                figure.values.append(own / base)

    def memory(self) -> None:
        gigabyte = "select a.* from pgbench_accounts a, generate_series(1, 6)"
        for reader, flags in (("curl", []), ("a slow curl", ["--limit-rate", "50m", "-m", "8"])):
            compared = f"1 GB to {reader}, growth of the server in MB"
            figure = self.figure("P5", compared, 16, at_least=False)
            for _ in range(min(self.rounds, 2)):
                with self.server() as server:
                    url = f"http://127.0.0.1:{server.port}/query"
                    run("curl", "-sfo", "/dev/null", url, "-d", "select 1")
                    before = server.memory()
                    done = subprocess.run(
                        ["curl", "-sfo", "/dev/null", *flags, url, "-d", gigabyte], check=False
                    )
                    assert done.returncode == (28 if flags else 0), done
                    figure.values.append((server.memory("VmHWM") - before) / 1e6)

    def idle_connections(self) -> None:
        compared = "look-ups/s, with 10,000 idle connections : without"
        throughput = self.figure("P6", compared, 0.9)
        memory = self.figure("P6", "KiB of memory per idle connection", 16, at_least=False)
        load = [self.build / "tests/bench/load", *LOOKUP, "--seconds", self.seconds]
        for _ in range(self.rounds):
            # A new server each time: an old one has the memory already.
            with self.server("--max-connections", 12_000) as server:
                base = self.load(server)
                before = server.memory()
                command = [*load, "--port", server.port, "--idle", 10_000]
                with subprocess.Popen(
                    [str(part) for part in command],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                ) as process:
                    assert process.stdout
                    assert process.stdout.readline() == "idle\n"
                    memory.values.append((server.memory() - before) / 10_000 / 1024)
                    output, _ = process.communicate("go\n")
                crowded = json.loads(output)
                assert process.returncode == 0, crowded
                assert crowded["idle_open"] == 10_000, crowded
                throughput.values.append(crowded["rps"] / base["rps"])

    def rows_to_json(self) -> None:
        command = [self.build / "tests/bench/rows_to_json", "--database", self.database.dsn]
        queries = {"accounts": f"{LARGE} limit 10000", "mixed": MIXED}
        for name in queries:
            self.figure("P7", f"rows of {name} to JSON, bytes/s : memcpy", 0.25)
            self.figure("P7", f"rows of {name} to JSON, bytes/s : nlohmann_json", 20)
        own = self.figures[-2 * len(queries) :]
        for _ in range(self.rounds):
            for i, report in enumerate(json.loads(run(*command, *queries.values()))):
                own[2 * i].values.append(report["to_copy"])
                own[2 * i + 1].values.append(report["to_nlohmann"])

    def overload(self) -> None:
        kept = self.figure("P9", "look-ups/s, 4 x the clients of the peak : peak", 0.9)
        compared = "refused at twice the connections allowed, p99 in ms"
        refused = self.figure("P9", compared, 50, at_least=False)
        with self.server() as server, self.server("--max-connections", 64) as small:
            for _ in range(self.rounds):
                peaks = {
                    clients: self.load(server, "--connections", clients, seconds=2)["rps"]
                    for clients in (16, 32, 64)
                }
                clients = max(peaks, key=lambda count: peaks[count])
                over = self.load(server, "--connections", 4 * clients)
                kept.values.append(over["rps"] / peaks[clients])
                crowd = self.load(small, "--connections", 128, seconds=2)
                assert crowd["refused"] > 0, crowd
                refused.values.append(crowd["refused_us"]["p99_us"] / 1000)

    def peers(self) -> None:
        ready: dict[str, tuple[Path, Path]] = {}
        for script in sorted((HERE / "peers").glob("*/run")):
            name, built = script.parent.name, self.build / "bench-peers" / script.parent.name
            able = subprocess.run([script, "check"], capture_output=True, text=True, check=False)
            if able.returncode != 0:
                self.skipped.append(f"P2 beside {name}: {able.stdout.strip()}")
                continue
            print(f"building the peer {name} ...", file=sys.stderr, flush=True)
            run(script, "build", built)
            ready[name] = (script, built)
        if not ready:
            return
        fastest = self.figure("P2", f"look-ups/s : fastest of {', '.join(ready)}", 1.5)
        single = {name: self.figure("P2", f"look-ups/s : {name}'s", 1.0) for name in ready}
        with self.server() as server:
            for _ in range(self.rounds):
                own = self.load(server)["rps"]
                theirs = {name: self.peer_look_ups(*ready[name]) for name in ready}
                fastest.values.append(own / max(theirs.values()))
                for name, rate in theirs.items():
                    single[name].values.append(own / rate)

    def peer_look_ups(self, script: Path, built: Path) -> float:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        env = {"PORT": str(port), "DATABASE_URL": self.database.url}
        peer = Server(script, "serve", built, port=port, env=env).ready("/accounts/1")
        try:
            return float(self.load(peer, *PEER_LOOKUP)["rps"])
        finally:
            peer.stop()

    def python(self) -> None:
        venv = self.build / "bench-python"
        print("building libquery for Python ...", file=sys.stderr, flush=True)
        run(sys.executable, "-m", "venv", venv)
        pip = [venv / "bin/pip", "install", "--quiet", "--disable-pip-version-check"]
        run(*pip, "-r", HERE / "peers/python_rows.txt", ROOT)
        bounds = {"psycopg": 3, "asyncpg": 2}
        figures = {
            name: self.figure("P8", f"10,000 rows x 6 to JSON, {name} + orjson : query_json", bound)
            for name, bound in bounds.items()
        }
        env = {**os.environ, "DATABASE_URL": self.database.url}

        def seconds(name: str) -> float:
            program = [venv / "bin/python", HERE / "peers/python_rows.py", name, MIXED, 11]
            return float(statistics.median(json.loads(run(*program, env=env))["seconds"]))

        for _ in range(self.rounds):
            own = seconds("libquery")
            for name, figure in figures.items():
                figure.values.append(seconds(name) / own)

    def report(self) -> str:
        head = f"{'goal':4} {'compared':66} {'median':>8} {'least - greatest':>17}  wanted"
        lines = [head, *(figure.line() for figure in self.figures if figure.values)]
        return "\n".join([*lines, *(f"skipped: {what}" for what in self.skipped)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("build", type=Path, help="the build's folder")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="of each load")
    parser.add_argument("--peers", action="store_true", help="also P2 and P8, beside peers")
    parser.add_argument("--only", default="", help="goals, like P1,P4")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    database = Database(options.build.resolve() / "bench-database")
    try:
        bench = Bench(options.build.resolve(), options.rounds, options.seconds, database)
        steps: list[tuple[str, Callable[[], None]]] = [
            ("P1 P3", bench.look_ups),
            ("P4", bench.large_result),
            ("P5", bench.memory),
            ("P6", bench.idle_connections),
            ("P7", bench.rows_to_json),
            ("P9", bench.overload),
        ]
        if options.peers:
            steps += [("P2", bench.peers), ("P8", bench.python)]
        else:
            bench.skipped += ["P2 and P8: PEERS=1 builds and measures peers"]
        wanted = options.only.split(",") if options.only else []
        for goals, step in steps:
            if not wanted or any(goal in goals.split() for goal in wanted):
                print(f"measuring {goals} ...", file=sys.stderr, flush=True)
                step()
        print(bench.report())
        if options.json:
            figures = [{**asdict(one), "median": one.median} for one in bench.figures]
            options.json.write_text(json.dumps(figures, indent=1) + "\n")
    finally:
        database.stop()


if __name__ == "__main__":
    main()
