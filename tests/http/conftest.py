"""Fixtures of the HTTP tests. QUERY_SERVER names the binary, LIBQUERY_TEST_DSN a database."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import harness


def pytest_sessionstart() -> None:
    for name, value in (("QUERY_SERVER", harness.SERVER), ("LIBQUERY_TEST_DSN", harness.DSN)):
        if not value:
            pytest.exit(f"{name} must be set", returncode=2)


@pytest.fixture(scope="session")
def server() -> Iterator[harness.Server]:
    """One server for all tests that leave it as they found it."""
    with harness.running() as running:
        yield running


@pytest.fixture
def table(server: harness.Server) -> Iterator[str]:
    """A table t(id int primary key, name text) under a name of its own."""
    name = f"t_{uuid.uuid4().hex}"
    assert server.post(f"create table {name} (id int primary key, name text)").status_code == 200
    yield name
    server.post(f"drop table if exists {name}")
