"""What the tests share: a database to test with, named by LIBQUERY_TEST_DSN, and pools on it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from observer import Observer

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
def observer(dsn: str) -> Iterator[Observer]:
    with libquery.Pool(dsn, max_size=1) as pool:
        yield Observer(pool)
