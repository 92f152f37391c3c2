"""Values on their way out: every built-in type as the Python value that the manual promises."""

import json
import random
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from math import copysign, isnan
from typing import Any
from uuid import UUID

import pytest

import libquery


def zone(hours: int, minutes: int = 0, seconds: int = 0) -> timezone:
    return timezone(timedelta(hours=hours, minutes=minutes, seconds=seconds))


EXPECTED: list[tuple[str, Any]] = [
    ("null::int", None),
    ("true", True),
    ("false", False),
    ("(-32768)::int2", -32768),
    ("2147483647::int4", 2147483647),
    ("(-9223372036854775808)::int8", -9223372036854775808),
    ("4294967295::oid", 4294967295),
    ("1.5::float4", 1.5),
    ("0.1::float8", 0.1),
    ("'5e-324'::float8", 5e-324),
    ("1.7976931348623157e308::float8", 1.7976931348623157e308),
    ("'-Infinity'::float8", float("-inf")),
    ("1.10::numeric", Decimal("1.10")),
    ("'NaN'::numeric = 'NaN'::numeric", True),
    ("'Infinity'::numeric", Decimal("Infinity")),
    ("10::numeric ^ 60 + 0.5", Decimal("1" + "0" * 60 + ".5")),
    ("''::text", ""),
    ("'grüße 🐘 \"\\'::text", 'grüße 🐘 "\\'),
    ("'ab'::char(4)", "ab  "),
    ("'v'::varchar(3)", "v"),
    ("'n'::name", "n"),
    ("'c'::\"char\"", "c"),
    ("'\\x'::bytea", b""),
    ("'\\x00ff5c'::bytea", b"\x00\xff\\"),
    ("date '2024-02-29'", date(2024, 2, 29)),
    ("date '0001-01-01'", date.min),
    ("date '9999-12-31'", date.max),
    ("date '10000-01-01'", "10000-01-01"),
    ("date '0044-03-15 BC'", "0044-03-15 BC"),
    ("date 'infinity'", "infinity"),
    ("time '23:59:59.999999'", time.max),
    ("time '00:00'", time.min),
    ("time '24:00'", "24:00:00"),
    ("timetz '01:02:03.5+05:45'", time(1, 2, 3, 500000, zone(5, 45))),
    ("timetz '24:00-03'", "24:00:00-03"),
    ("timestamp '2024-01-02 03:04:05.6'", datetime(2024, 1, 2, 3, 4, 5, 600000)),
    ("timestamp '9999-12-31 23:59:59.999999'", datetime.max),
    ("timestamp '-infinity'", "-infinity"),
    ("timestamp '0001-12-31 00:00:00 BC'", "0001-12-31 00:00:00 BC"),
    ("timestamp '294276-12-31 23:59:59'", "294276-12-31 23:59:59"),
    ("interval '3 days'", timedelta(days=3)),
    ("interval '0'", timedelta(0)),
    ("interval '-1 day +02:03:04.5'", timedelta(days=-1, hours=2, minutes=3, seconds=4.5)),
    ("interval '-00:00:00.000001'", timedelta(microseconds=-1)),
    ("interval '1 day -100:00:00'", timedelta(days=1, hours=-100)),
    ("interval '2562047788 hours'", timedelta(hours=2562047788)),
    ("interval '1 mon'", "1 mon"),
    ("interval '-2 years 1 day 00:00:01'", "-2 years +1 day 00:00:01"),
    ("uuid '12345678-1234-5678-1234-567812345678'", UUID("12345678-1234-5678-1234-567812345678")),
    ("'[1, 2.5, \"x\", null, {\"a\": true}]'::json", [1, 2.5, "x", None, {"a": True}]),
    ("'12345678901234567890'::jsonb", 12345678901234567890),
    ("'\"text\"'::jsonb", "text"),
    ("'null'::jsonb", None),
    ("'1e400'::json", Decimal("1e400")),
    ("'-1e-400'::json", Decimal("-1e-400")),
    ("'0e400'::json", 0.0),
    ("repeat('9', 5000)::json", Decimal("9" * 5000)),
    ("(repeat('[', 3000) || repeat(']', 3000))::json", "[" * 3000 + "]" * 3000),
    ("'12.50'::money::text", "$12.50"),
    ("inet '10.0.0.1/8'", "10.0.0.1/8"),
    ("cidr '10.0.0.0/8'", "10.0.0.0/8"),
    ("macaddr '08:00:2b:01:02:03'", "08:00:2b:01:02:03"),
    ("b'101'", "101"),
    ("b'101'::varbit", "101"),
    ("point '(1,2)'", "(1,2)"),
    ("box '(1,2),(3,4)'", "(3,4),(1,2)"),
    ("int4range '[1,5)'", "[1,5)"),
    ("int4multirange '{[1,5),[7,8)}'", "{[1,5),[7,8)}"),
    ("'a b'::tsvector", "'a' 'b'"),
    ("xml '<a/>'", "<a/>"),
    ("'pg_class'::regclass", "pg_class"),
    ("row(1,'a b')", '(1,"a b")'),
    ("'1 2 3'::int2vector", [1, 2, 3]),
    ("''::int2vector", []),
    ("'26 4294967295'::oidvector", [26, 4294967295]),
    ("'{}'::int[]", []),
    ("'{1,NULL,3}'::int[]", [1, None, 3]),
    ("'{{1,2},{3,4}}'::int8[]", [[1, 2], [3, 4]]),
    ("'[0:1]={1,2}'::int2[]", [1, 2]),
    ("'[0:0][2:3]={{1,2}}'::int[]", [[1, 2]]),
    ("'{t,f,NULL}'::bool[]", [True, False, None]),
    ("'{1.5,-Infinity}'::float4[]", [1.5, float("-inf")]),
    ("'{1.10,NULL}'::numeric[]", [Decimal("1.10"), None]),
    ("array['', 'NULL', 'null', null, 'a,b', 'q\"q', 'b\\b', '{x}', ' s ']",
     ["", "NULL", "null", None, "a,b", 'q"q', "b\\b", "{x}", " s "]),
    ("array['\\xdead'::bytea, '\\x']", [b"\xde\xad", b""]),
    ("'{2024-02-29,infinity}'::date[]", [date(2024, 2, 29), "infinity"]),
    ("'{01:02:03}'::time[]", [time(1, 2, 3)]),
    ("'{01:02:03-08}'::timetz[]", [time(1, 2, 3, tzinfo=zone(-8))]),
    ("'{\"2024-01-02 03:04:05\"}'::timestamp[]", [datetime(2024, 1, 2, 3, 4, 5)]),
    ("'{1 day,1 mon}'::interval[]", [timedelta(days=1), "1 mon"]),
    ("array[uuid '12345678-1234-5678-1234-567812345678']",
     [UUID("12345678-1234-5678-1234-567812345678")]),
    ("array['{\"a\": [1, \"}\"]}'::json, 'null']", [{"a": [1, "}"]}, None]),
    ("array['{\"a\": 1}'::jsonb]", [{"a": 1}]),
    ("'{(3,4),(1,2);(7,8),(5,6)}'::box[]", ["(3,4),(1,2)", "(7,8),(5,6)"]),
    ("'{10.0.0.1}'::inet[]", ["10.0.0.1"]),
    ("'{\"[1,5)\"}'::int4range[]", ["[1,5)"]),
    ("'{\"1 2\",\"3\"}'::int2vector[]", [[1, 2], [3]]),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "expected"), EXPECTED, ids=[sql[:40] for sql, _ in EXPECTED])
def test_every_type_becomes_its_python_value(pool: libquery.Pool, sql: str, expected: Any) -> None:
    (row,) = pool.query(f"select {sql}")
    assert row == (expected,)
    assert type(row[0]) is type(expected)
    if isinstance(expected, list) and expected:
        assert [type(item) for item in row[0]] == [type(item) for item in expected]


def test_not_a_number_and_the_sign_of_zero(pool: libquery.Pool) -> None:
    ((single, double, exact, zero, array),) = pool.query(
        "select 'NaN'::float4, 'NaN'::float8, 'NaN'::numeric, '-0'::float8, '{NaN}'::float8[]"
    )
    assert isnan(single)
    assert isnan(double)
    assert exact.is_nan()
    assert copysign(1, zero) == -1
    assert isnan(array[0])


def test_a_timestamptz_knows_its_offset(pool: libquery.Pool) -> None:
    with pool.transaction() as tx:
        for name, instant, expected in [
            ("UTC", "2024-06-01 12:00:00.25+00", datetime(2024, 6, 1, 12, 0, 0, 250000, UTC)),
            ("Asia/Kathmandu", "2024-06-01 12:00+00", datetime(2024, 6, 1, 17, 45, tzinfo=zone(5, 45))),
            ("America/St_Johns", "2024-01-01 12:00+00", datetime(2024, 1, 1, 8, 30, tzinfo=zone(-3, -30))),
            ("Africa/Monrovia", "1950-01-01 00:44:30+00",
             datetime(1950, 1, 1, tzinfo=zone(0, -44, -30))),
        ]:  # fmt: skip
            tx.query(f"set local timezone = '{name}'")
            ((value,),) = tx.query("select $1::timestamptz", [instant])
            assert value == expected
            assert value.utcoffset() == expected.utcoffset()


def test_settings_that_change_the_text_are_met(pool: libquery.Pool) -> None:
    with pool.transaction() as tx:
        tx.query("set local bytea_output = escape")
        tx.query("set local datestyle = 'German, DMY'")
        tx.query("set local intervalstyle = iso_8601")
        ((octets, day, span),) = tx.query(
            "select '\\x00ff5c61'::bytea, date '2024-02-03', interval '1 day'"
        )
    # What cannot be read with certainty stays text.
    assert (octets, day, span) == (b"\x00\xff\\a", "03.02.2024", "P1D")


def test_domains_and_enums(pool: libquery.Pool) -> None:
    with pool.transaction() as tx:
        tx.query("create domain pg_temp.positive as int check (value > 0)")
        tx.query("create type pg_temp.mood as enum ('sad', 'ok')")
        rows = tx.query("select 7::pg_temp.positive, 'ok'::pg_temp.mood, '{sad}'::pg_temp.mood[]")
        assert rows == [(7, "ok", "{sad}")]
        assert [column.type for column in rows.columns] == ["int4", None, None]


def test_arrays_of_any_text_equal_the_servers_json(pool: libquery.Pool) -> None:
    """The database itself is the oracle: what to_json says of an array is what we made of it."""
    random.seed(7)
    alphabet = "{}\",;\\ NULnul\t\n'éß🐘a1"
    arrays = [
        [
            None if random.random() < 0.2 else "".join(random.choices(alphabet, k=random.randrange(8)))
            for _ in range(random.randrange(6))
        ]
        for _ in range(2000)
    ]  # fmt: skip
    rows = pool.query(
        "select array(select jsonb_array_elements_text(a)), a::text"
        " from jsonb_array_elements($1::jsonb) as list(a)",
        [arrays],
    )
    assert len(rows) == len(arrays)
    for sent, (received, oracle) in zip(arrays, rows, strict=True):
        assert received == sent == json.loads(oracle)


def test_numbers_equal_the_servers_json(pool: libquery.Pool) -> None:
    rows = pool.query(
        "select f, d, n, i, to_json(f)::text, to_json(d)::text, to_json(n)::text, to_json(i)::text"
        " from (select random()::float4 * 10 ^ (random() * 60 - 30)::int as f,"
        "   (random() - 0.5) * 10::float8 ^ (random() * 600 - 300)::int as d,"
        "   (random() * 1e9)::numeric * 10::numeric ^ (random() * 40 - 20)::int as n,"
        "   (random() * 1e18)::int8 as i from generate_series(1, 3000)) as s"
    )
    for single, double, exact, whole, *oracle in rows:
        assert repr(single) == repr(float(oracle[0]))
        assert repr(double) == repr(float(oracle[1]))
        assert exact == Decimal(oracle[2])
        assert whole == int(oracle[3])


def test_rows_are_a_sequence(pool: libquery.Pool) -> None:
    rows = pool.query("select i, i * 2 as double from generate_series(1, 3) as g(i)")
    assert len(rows) == 3
    assert rows[0] == (1, 2)
    assert rows[-1] == (3, 6)
    assert rows[1:] == [(2, 4), (3, 6)]
    assert list(rows) == [(1, 2), (2, 4), (3, 6)]
    assert rows == ((1, 2), (2, 4), (3, 6))
    assert (2, 4) in rows
    assert rows != [(1, 2)]
    assert rows.dicts()[2] == {"i": 3, "double": 6}
    assert rows.columns == (("i", "int4", 23), ("double", "int4", 23))
    assert rows.columns[1].name == "double"
    assert (rows.command, rows.affected, rows.truncated) == ("SELECT", 3, False)
    assert repr(rows) == "<Rows SELECT (i, double) x 3>"


def test_dicts_do_not_hide_a_column(pool: libquery.Pool) -> None:
    rows = pool.query("select 1 as x, 2 as x")
    assert rows == [(1, 2)]
    with pytest.raises(ValueError, match="two columns are named 'x'"):
        rows.dicts()


def test_what_is_no_query_has_no_rows(pool: libquery.Pool, table: str) -> None:
    inserted = pool.query(f"insert into {table} values (1, 'a'), (2, 'b')")
    assert (len(inserted), inserted.columns) == (0, ())
    assert (inserted.command, inserted.affected) == ("INSERT", 2)
    returned = pool.query(f"update {table} set name = 'c' returning id, name")
    assert sorted(returned) == [(1, "c"), (2, "c")]
    assert (returned.command, returned.affected) == ("UPDATE", 2)
    created = pool.query("create temp table t ()")
    assert (created.command, created.affected) == ("CREATE TABLE", None)
    assert pool.query("select from generate_series(1, 2)") == [(), ()]


def test_many_rows(pool: libquery.Pool) -> None:
    rows = pool.query("select i, i::text from generate_series(1, 100000) as g(i)")
    assert len(rows) == 100_000
    assert rows[99_999] == (100_000, "100000")
    assert sum(i for i, _ in rows) == 5_000_050_000


def test_max_rows(pool: libquery.Pool) -> None:
    for read_only in (False, True):
        rows = pool.query(
            "select i from generate_series(1, 5000) as g(i)", max_rows=3, read_only=read_only
        )
        assert rows == [(1,), (2,), (3,)]
        assert rows.truncated
        rows = pool.query("select 1", max_rows=1, read_only=read_only)
        assert rows == [(1,)]
        assert not rows.truncated
    assert pool.query("select 1", max_rows=0) == []
