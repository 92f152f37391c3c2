"""C++, Python and HTTP give the same bytes for the same statement.

CORPUS_DUMP and QUERY_SERVER name binaries, LIBQUERY_TEST_DSN a database; libquery is the installed
package. See corpus_dump.cpp for what a case looks like.
"""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import libquery

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "http"))

import harness

FILE = HERE / "corpus.json"
CASES: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
ACCEPT = {"document": "application/json", "lines": "application/x-ndjson", "csv": "text/csv"}


def environment(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        pytest.exit(f"{name} must be set", returncode=2)
    return value


@pytest.fixture(scope="module")
def from_cpp() -> dict[str, bytes]:
    dump = subprocess.run(
        [environment("CORPUS_DUMP"), str(FILE)], stdout=subprocess.PIPE, check=True, timeout=120
    )
    out = io.BytesIO(dump.stdout)
    answers: dict[str, bytes] = {}
    while head := out.readline():
        size, name = head.decode().rstrip("\n").split(" ", 1)
        answers[name] = out.read(int(size))
        assert out.read(1) == b"\n"
    return answers


@pytest.fixture(scope="module")
def pool() -> Iterator[libquery.Pool]:
    with libquery.Pool(environment("LIBQUERY_TEST_DSN"), max_size=1) as pool:
        yield pool


@pytest.fixture(scope="module")
def server() -> Iterator[harness.Server]:
    environment("QUERY_SERVER")
    with harness.running() as server:
        yield server


def python_params(statement: dict[str, Any]) -> list[Any]:
    return [json.loads(text, parse_float=Decimal) for text in statement.get("params", [])]


def from_python(pool: libquery.Pool, case: dict[str, Any]) -> bytes:
    options: dict[str, Any] = {
        name: case[name] for name in ("rows", "numbers", "max_rows", "read_only") if name in case
    }
    options["timeout"] = 60
    if "batch" in case:
        if "isolation" in case:
            options["isolation"] = case["isolation"]
        statements = [(each["sql"], python_params(each)) for each in case["batch"]]
        return pool.batch_json(statements, **options)
    params = python_params(case)
    if "framing" not in case:
        whole = pool.query_json(case["sql"], params, **options)
        chunks = pool.stream_json(case["sql"], params, chunk_size=1000, **options)
        assert b"".join(chunks) == whole
        return whole
    return b"".join(pool.stream_json(case["sql"], params, framing=case["framing"], **options))


def http_statement(statement: dict[str, Any]) -> str:
    """A statement's members as JSON text, its parameters as the corpus writes them."""
    params = ",".join(statement.get("params", []))
    return f'"sql":{json.dumps(statement["sql"])},"params":[{params}]'


def from_http(server: harness.Server, case: dict[str, Any]) -> bytes:
    members = [
        f'"{name}":{json.dumps(case[name])}'
        for name in ("rows", "numbers", "max_rows", "read_only", "isolation")
        if name in case
    ]
    if "batch" in case:
        each = ",".join(f"{{{http_statement(statement)}}}" for statement in case["batch"])
        members.append(f'"batch":[{each}]')
    else:
        members.append(http_statement(case))
    framing = case.get("framing", "document")
    response = server.post(f"{{{','.join(members)}}}", headers={"Accept": ACCEPT[framing]})
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"].startswith(ACCEPT[framing])
    return response.content


def check_form(case: dict[str, Any], body: bytes) -> None:
    """A reader who knows nothing of us can read it."""
    text = body.decode("utf-8")
    match case.get("framing", "document"):
        case "document":
            answer = json.loads(text)
            results = answer["results"] if "batch" in case else [answer]
            assert len(results) == len(case.get("batch", [None]))
            for result in results:
                assert list(result)[:4] == ["columns", "rows", "command", "row_count"]
                for column in result["columns"]:
                    assert list(column) == ["name", "type", "oid"]
        case "lines":
            assert text == "" or text.endswith("\n")
            for line in text.split("\n")[:-1]:
                assert isinstance(json.loads(line), list if case.get("rows") == "arrays" else dict)
        case _:
            assert text.endswith("\r\n")
            records = list(csv.reader(io.StringIO(text, newline="")))
            assert len({len(record) for record in records if record}) == 1


def test_the_corpus_is_large_and_its_names_are_unique() -> None:
    assert len(CASES) >= 60
    assert len({case["name"] for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_all_faces_give_the_same_bytes(
    case: dict[str, Any],
    from_cpp: dict[str, bytes],
    pool: libquery.Pool,
    server: harness.Server,
) -> None:
    expected = from_cpp[case["name"]]
    check_form(case, expected)
    assert from_python(pool, case) == expected
    assert from_http(server, case) == expected


def test_a_bare_statement_gives_the_same_bytes(
    from_cpp: dict[str, bytes], server: harness.Server
) -> None:
    response = server.post("select 1 as one")
    assert response.content == from_cpp["one"]
    assert response.content == (
        b'{"columns":[{"name":"one","type":"int4","oid":23}],"rows":[{"one":1}],'
        b'"command":"SELECT","row_count":1}'
    )
