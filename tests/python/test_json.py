"""JSON: the bytes that every face of libquery gives for a statement."""

import json
from decimal import Decimal

import pytest

import libquery

ONE = b'{"columns":[{"name":"one","type":"int4","oid":23}],"rows":[{"one":1}],"command":"SELECT","row_count":1}'


def test_the_documented_answer(pool: libquery.Pool) -> None:
    assert pool.query_json("select 1 as one") == ONE


def test_values_equal_to_json(pool: libquery.Pool) -> None:
    expressions = [
        "1.10::numeric", "0.1::float4", "'NaN'::float8", "9007199254740993::int8", "null::int",
        "true", "'a\"\\ \x01é🐘'::text", "'\\xdead'::bytea", "timestamp '2024-01-02 03:04:05.6'",
        "timestamptz '2024-01-02 03:04:05+00'", "date 'infinity'", "interval '1 mon -1 day'",
        "'{\"b\": 1.50, \"a\": [1]}'::json", "'{\"b\": 1.50}'::jsonb", "'{1,NULL,3}'::int[]",
        "array['a\"b', null]", "array['{\"a\": 1}'::jsonb]", "'{(3,4),(1,2)}'::box[]",
        "uuid '12345678-1234-5678-1234-567812345678'", "'1 2'::int2vector", "7::oid",
    ]  # fmt: skip
    for expression in expressions:
        body = pool.query_json(f"select {expression} as v", rows="arrays")
        ((oracle,),) = pool.query(f"select to_json(v)::text from (select {expression} as v) as s")
        start = body.index(b'"rows":[[') + len(b'"rows":[[')
        assert body[start : body.rindex(b']],"command"')].decode() == (oracle or "null"), expression


def test_shapes(pool: libquery.Pool) -> None:
    sql = "select 9007199254740993::int8 as big, 1.10 as exact, 7 as small"
    assert b'"rows":[{"big":9007199254740993,"exact":1.10,"small":7}]' in pool.query_json(sql)
    assert b'"rows":[[9007199254740993,1.10,7]]' in pool.query_json(sql, rows="arrays")
    assert b'"rows":[{"big":"9007199254740993","exact":"1.10","small":7}]' in pool.query_json(
        sql, numbers="string"
    )


def test_params_timeout_and_max_rows(pool: libquery.Pool) -> None:
    body = json.loads(
        pool.query_json("select i from generate_series(1, $1::int) as g(i)", [9], max_rows=2)
    )
    assert body["rows"] == [{"i": 1}, {"i": 2}]
    assert body["truncated"] is True
    with pytest.raises(libquery.Timeout):
        pool.query_json("select pg_sleep(10)", timeout=0.05)
    with pytest.raises(libquery.SqlError) as caught:
        pool.query_json("create temp table t ()", read_only=True)
    assert caught.value.sqlstate == "25006"


def test_no_rows_and_no_count(pool: libquery.Pool) -> None:
    assert json.loads(pool.query_json("select 1 as x where false")) == {
        "columns": [{"name": "x", "type": "int4", "oid": 23}],
        "rows": [],
        "command": "SELECT",
        "row_count": 0,
    }
    assert json.loads(pool.query_json("create temp table t ()"))["row_count"] is None


def test_a_batch_as_json(pool: libquery.Pool) -> None:
    statements: list[libquery.Statement] = [
        "select 1 as one",
        ("select $1::numeric as n", [Decimal("1.10")]),
    ]
    body = pool.batch_json(statements)
    assert body.startswith(b'{"results":[' + ONE + b",")
    assert b'"rows":[{"n":1.10}]' in body
    assert json.loads(pool.batch_json([])) == {"results": []}


def test_in_a_transaction(pool: libquery.Pool) -> None:
    with pool.transaction() as tx:
        tx.query("create temp table only_here on commit drop as select 1 as one")
        assert tx.query_json("select * from only_here") == ONE
        with tx.stream_json("select * from only_here", framing="lines") as stream:
            assert b"".join(stream) == b'{"one":1}\n'


def test_a_large_answer(pool: libquery.Pool) -> None:
    body = pool.query_json("select i, repeat('x', 100) as t from generate_series(1, 50000) as g(i)")
    parsed = json.loads(body)
    assert parsed["row_count"] == len(parsed["rows"]) == 50_000
    assert parsed["rows"][-1] == {"i": 50_000, "t": "x" * 100}


def test_wrong_words_are_named(pool: libquery.Pool) -> None:
    with pytest.raises(ValueError, match="rows must be 'objects' or 'arrays', not 'lists'"):
        pool.query_json("select 1", rows="lists")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="numbers must be 'exact' or 'string', not ''"):
        pool.query_json("select 1", numbers="")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="framing must be 'document' or 'lines' or 'csv', not None"):
        pool.stream_json("select 1", framing=None)  # type: ignore[arg-type]
