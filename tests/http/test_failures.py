"""The database fails, the server does not: restarts, killed backends, chaos."""

from __future__ import annotations

import os
import random
import subprocess
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from harness import PATIENCE, Background, Server, running, wait_until

CLUSTER = Path(__file__).parents[1] / "pg_cluster.sh"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A PostgreSQL of its own, for it is going to suffer."""
    directory = tmp_path_factory.mktemp("failures") / "cluster"
    subprocess.run([CLUSTER, "start", directory], check=True, timeout=120)
    yield directory
    subprocess.run([CLUSTER, "stop", directory], check=True, timeout=120)


@pytest.fixture
def fragile(cluster: Path) -> Iterator[Server]:
    with running("--pool-size", "4", database=(cluster / "dsn").read_text().strip()) as server:
        yield server


def restart(cluster: Path, mode: str) -> None:
    subprocess.run([CLUSTER, "restart", cluster, mode], check=True, timeout=120)


def test_a_killed_backend_is_a_clear_503(fragile: Server) -> None:
    status, error = fragile.error("select pg_terminate_backend(pg_backend_pid())")
    assert status == 503
    assert error["code"] == "57P01"
    assert error["outcome"] == "unknown"
    assert fragile.value("select 1") == 1


def test_killed_in_mid_stream_the_answer_is_cut_off(fragile: Server) -> None:
    with (
        pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)),
        fragile.session.post(
            fragile.url + "/query",
            data="select g, repeat('x', 1000) /* victim */ from generate_series(1, 10000000) g",
            stream=True,
            timeout=PATIENCE,
        ) as response,
    ):
        chunks = response.iter_content(65536)
        next(chunks)
        killed = fragile.value(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity"
            " where query like '%victim%' and pid <> pg_backend_pid()"
        )
        assert killed == 1
        for _ in chunks:
            pass
    assert fragile.value("select 1") == 1


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_it_survives_a_restart_of_the_database(cluster: Path, fragile: Server, mode: str) -> None:
    assert fragile.value("select 1") == 1
    running_request = Background(lambda: fragile.post("select pg_sleep(60)").status_code)
    wait_until(
        lambda: fragile.value(
            "select count(*) from pg_stat_activity where query = 'select pg_sleep(60)'"
        ),
        "the request runs",
    )
    restart(cluster, mode)
    assert running_request.result() == 503
    wait_until(lambda: fragile.post("select 1").status_code == 200, "the database is back")
    # And from then on without a hitch.
    assert [fragile.post("select 1").status_code for _ in range(20)] == [200] * 20
    assert fragile.get("/readyz").status_code == 200


def test_readiness_forgives_a_short_absence(cluster: Path) -> None:
    dsn = (cluster / "dsn").read_text().strip()
    with running(database=dsn) as server:
        assert server.get("/readyz").status_code == 200
        data = cluster.resolve() / "data"
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, 2)  # SIGINT: fast shutdown
        wait_until(lambda: server.post("select 1").status_code == 503, "the database is gone")
        assert server.post("select 1").headers["Retry-After"] == "1"
        assert server.get("/readyz").status_code == 200
        assert server.get("/livez").status_code == 200
        restart(cluster, "fast")
        wait_until(lambda: server.post("select 1").status_code == 200, "the database is back")


def test_too_many_database_connections_are_a_503(cluster: Path) -> None:
    dsn = (cluster / "dsn").read_text().strip()
    role = f"few_{uuid.uuid4().hex[:8]}"
    with running(database=dsn) as admin:
        assert admin.post(f"create role {role} login connection limit 1").status_code == 200
        with running("--pool-size", "3", database=f"{dsn} user={role}") as server:
            hold = Background(lambda: server.post("select pg_sleep(2)").status_code)
            wait_until(
                lambda: admin.value(
                    "select count(*) from pg_stat_activity where usename = $1 and state = 'active'",
                    [role],
                ),
                "the one connection is taken",
            )
            status, error = server.error("select 1")
            assert status == 503
            assert role not in error["message"]
            assert hold.result() == 200
            wait_until(lambda: server.post("select 1").status_code == 200, "it is free again")
        admin.post(f"drop role {role}")


def test_chaos(cluster: Path) -> None:
    """50 clients on a pool of 4 while backends are killed: right answers or clear errors."""
    seconds = float(os.environ.get("CHAOS_SECONDS", "10"))
    dsn = (cluster / "dsn").read_text().strip()
    seen: Counter[int] = Counter()
    wrong: list[str] = []
    lock = threading.Lock()
    with (
        running("--pool-size", "4", database=dsn) as server,
        running("--pool-size", "1", database=dsn) as killer,
    ):
        end = time.monotonic() + seconds

        def client(number: int) -> None:
            chance = random.Random(number)
            session = requests.Session()
            session.trust_env = False
            asked = 0
            while time.monotonic() < end:
                asked += 1
                mark = number * 1_000_000 + asked
                kind = chance.randrange(4)
                body: dict[str, object]
                expected: list[list[object]]
                if kind == 0:  # leaves state behind, if it can
                    body = {
                        "sql": "select set_config('chaos.mark', $1, false) as v",
                        "params": [str(mark)],
                    }
                    expected = [[str(mark)]]
                elif kind == 1:  # sees another's state, if there is any
                    body = {"sql": "select coalesce(current_setting('chaos.mark', true), '') as v"}
                    expected = [[""]]
                elif kind == 2:
                    body = {
                        "sql": "select g + $1::int from generate_series(1, 100) g",
                        "params": [mark],
                    }
                    expected = [[g + mark] for g in range(1, 101)]
                else:
                    body = {"sql": "select $1::int from pg_sleep(0.005)", "params": [mark]}
                    expected = [[mark]]
                try:
                    response = session.post(
                        server.url + "/query", json={**body, "rows": "arrays"}, timeout=PATIENCE
                    )
                    status = response.status_code
                    answer = response.json()
                    problem = ""
                    if status == 200:
                        if answer["rows"] != expected:
                            problem = f"asked {body}, got {str(answer)[:300]}"
                    elif status < 500 or not answer["error"]["code"]:
                        problem = f"asked {body}, got {status}: {answer}"
                except Exception as error:  # noqa: BLE001 - a hang, a torn answer, no JSON
                    status, problem = -1, f"asked {body}: {error!r}"
                with lock:
                    seen[status] += 1
                    if problem:
                        wrong.append(problem)

        def kill() -> None:
            while time.monotonic() < end:
                killer.post(
                    "select pg_terminate_backend(pid) from pg_stat_activity where pid <> "
                    "pg_backend_pid() and backend_type = 'client backend' order by random() limit 1"
                )
                time.sleep(random.uniform(0.02, 0.2))

        threads = [threading.Thread(target=client, args=(n,)) for n in range(50)]
        threads.append(threading.Thread(target=kill))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(seconds + 2 * PATIENCE)
            assert not thread.is_alive(), "a client hangs"
        assert server.process.poll() is None, server.log()[-10000:]
        assert wrong == []
        assert seen[200] > 100, seen
        assert sum(seen.values()) > seen[200], f"nothing was ever killed in mid-air: {seen}"
        # Quiet again, everything works.
        wait_until(lambda: server.post("select 1").status_code == 200, "the calm")
        assert [server.post("select 1").status_code for _ in range(50)] == [200] * 50
