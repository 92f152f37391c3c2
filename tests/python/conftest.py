"""What the tests share: a database to test with, named by LIBQUERY_TEST_DSN, and pools on it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import libquery


def pytest_configure() -> None:
    """Tests of the source tree would say nothing about what users get."""
    source = Path(__file__).resolve().parents[2] / "python"
    if source in Path(libquery.__file__).resolve().parents:
        pytest.exit("libquery was imported from the source tree, not from an installed wheel", 2)


@pytest.fixture(scope="session")
def dsn() -> str:
    value = os.environ.get("LIBQUERY_TEST_DSN")
    if not value:
        pytest.exit("LIBQUERY_TEST_DSN must name a database that the tests may write to", 2)
    return value


@pytest.fixture
def pool(dsn: str) -> Iterator[libquery.Pool]:
    with libquery.Pool(dsn, max_size=4) as pool:
        yield pool


@pytest.fixture
def table(pool: libquery.Pool) -> Iterator[str]:
    """An empty table with an id and a name."""
    name = f"python_test_{os.getpid()}"
    pool.query(f"create table {name} (id int primary key, name text not null check (name <> ''))")
    yield name
    pool.query(f"drop table {name}")


@pytest.fixture
def sleeping(dsn: str) -> Iterator["Sleeping"]:
    with libquery.Pool(dsn, max_size=1) as observer:
        yield Sleeping(observer)


class Sleeping:
    """Looks at what other sessions run, from a session of its own."""

    def __init__(self, observer: libquery.Pool) -> None:
        self._observer = observer

    def pids(self, marker: str) -> list[int]:
        """The backends that run a statement with `marker` in its text."""
        rows = self._observer.query(
            "select pid from pg_stat_activity where state = 'active' "
            "and pid <> pg_backend_pid() and query like '%' || $1 || '%'",
            [marker],
        )
        return [pid for (pid,) in rows]

    def terminate(self, pid: int) -> None:
        self._observer.query("select pg_terminate_backend($1)", [pid])
