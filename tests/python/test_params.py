"""Values on their way in: what is sent is what PostgreSQL has, and what cannot be sent is refused."""

import enum
from collections import OrderedDict
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

import libquery

ROUND_TRIPS: list[tuple[str, Any]] = [
    ("int", None),
    ("bool", True),
    ("bool", False),
    ("int2", -1),
    ("int8", 2**63 - 1),
    ("numeric", Decimal("-1.10")),
    ("numeric", Decimal(2**200)),
    ("numeric", Decimal("Infinity")),
    ("float8", 0.1),
    ("float8", 5e-324),
    ("float8", 1.7976931348623157e308),
    ("float8", float("inf")),
    ("float8", float("-inf")),
    ("text", ""),
    ("text", "a' \"b\\ \n \x01 é🐘"),
    ("text", "NULL"),
    ("bytea", b""),
    ("bytea", bytes(range(256))),
    ("date", date.min),
    ("date", date.max),
    ("time", time.max),
    ("timetz", time(1, 2, 3, 4, timezone(timedelta(hours=-3, minutes=-30)))),
    ("timestamp", datetime.min),
    ("timestamp", datetime.max),
    ("timestamptz", datetime(2024, 2, 29, 1, 2, 3, 4, timezone(timedelta(hours=5, minutes=45)))),
    ("timestamptz", datetime(1, 1, 1, tzinfo=UTC)),
    ("interval", timedelta(0)),
    ("interval", timedelta(days=-1, microseconds=1)),
    ("interval", timedelta(days=99_999, hours=23, microseconds=999_999)),
    ("uuid", UUID(int=2**128 - 1)),
    ("int[]", []),
    ("int[]", [1, None, -3]),
    ("int[]", [[1, 2], [3, 4]]),
    ("bool[]", [True, False, None]),
    ("numeric[]", [Decimal("1.10"), Decimal("1E+30"), Decimal("-Infinity")]),
    ("float8[]", [0.1, 1e300, float("inf"), float("-inf")]),
    ("text[]", ["", "NULL", None, 'q"', "b\\", "{,}", " ", "é\n"]),
    ("bytea[]", [b"\x00\xff", b""]),
    ("date[]", [date(2024, 2, 29)]),
    ("timestamptz[]", [datetime(2024, 2, 29, 1, 2, 3, 4, UTC)]),
    ("interval[]", [timedelta(days=1, seconds=2)]),
    ("uuid[]", [UUID(int=7)]),
    ("jsonb[]", [{"a": [1]}, [2, "x"], "s", 3]),
    ("json[]", [{"a": [1]}, {}]),
    ("jsonb", {}),
    ("jsonb", []),
    ("jsonb", {"a": [1, 2.5, None, True, {"b": 'é"\\\n\x01🐘'}], "": {}}),
    ("jsonb", {"big": 12345678901234567890123, "small": -0.5}),
    ("json", [[], {}, [[]]]),
]


@pytest.mark.parametrize(
    ("type_name", "value"), ROUND_TRIPS, ids=[f"{t}-{v!r:.30}" for t, v in ROUND_TRIPS]
)
def test_values_come_back_as_they_went(pool: libquery.Pool, type_name: str, value: Any) -> None:
    # Twice: the second time the statement is prepared already.
    for _ in range(2):
        assert pool.query(f"select $1::{type_name}", [value]) == [(value,)]


def test_the_server_has_exactly_what_was_written(pool: libquery.Pool) -> None:
    cases: list[tuple[str, Any, str]] = [
        ("numeric", Decimal("1.10"), "1.10"),
        ("numeric", 10**4000, str(10**4000)),
        ("numeric", Decimal("sNaN"), "NaN"),
        ("numeric", Decimal("-NaN"), "NaN"),
        ("float8", float("nan"), "NaN"),
        ("float8", -0.0, "-0"),
        ("jsonb", {"a": Decimal("1.10")}, '{"a": 1.10}'),
        ("json", {"a": Decimal("1E+5"), "b": 1e22}, '{"a":1E+5,"b":1e+22}'),
        ("json", [float("nan"), Decimal("NaN")], '["NaN","NaN"]'),
        ("json", {"b": b"\x01\xff", "d": date(2024, 1, 2)}, '{"b":"\\\\x01ff","d":"2024-01-02"}'),
        ("json", {"u": UUID(int=1)}, '{"u":"00000000-0000-0000-0000-000000000001"}'),
        ("numeric[]", [Decimal("NaN"), 1, "2.50"], "{NaN,1,2.50}"),
        ("int[]", (1, 2), "{1,2}"),
        ("timestamptz[]", [datetime(2024, 1, 1, tzinfo=UTC)], '{"2024-01-01 00:00:00+00"}'),
        ("text", 7, "7"),
        ("int", "7", "7"),
        ("bytea", bytearray(b"\x01"), "\\x01"),
        ("bytea", memoryview(b"\x01\x02\x03\x04")[::2], "\\x0103"),
    ]
    for type_name, value, text in cases:
        assert pool.query(f"select $1::{type_name}::text", [value]) == [(text,)], (type_name, value)


def test_a_subclass_is_sent_as_its_value(pool: libquery.Pool) -> None:
    class Level(enum.IntEnum):
        HIGH = 3

    class Color(enum.StrEnum):
        RED = "red"

    class Liar(int):
        def __str__(self) -> str:
            return "1; drop table users"

        __repr__ = __str__

    rows = pool.query(
        "select $1::int, $2::text, $3::int, $4::jsonb, $5::int[]",
        [Level.HIGH, Color.RED, Liar(5), OrderedDict(b=Level.HIGH), [Liar(6)]],
    )
    assert rows == [(3, "red", 5, {"b": 3}, [6])]


def test_params_are_never_sql(pool: libquery.Pool) -> None:
    attack = "'); drop table pg_class; --"
    assert pool.query("select $1::text, $2::text[]", (attack, [attack])) == [(attack, [attack])]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (object(), r"parameter \$2: cannot send a value of type 'object'"),
        ({1, 2}, r"parameter \$2: cannot send a value of type 'set'"),
        (1j, r"parameter \$2: cannot send a value of type 'complex'"),
        ({1: 2}, r"parameter \$2: the keys of a dict must be str, not 'int'"),
        ([[object()]], r"parameter \$2: cannot put a value of type 'object' into JSON"),
    ],
)
def test_a_wrong_type_names_its_parameter(pool: libquery.Pool, value: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        pool.query("select $1::text, $2::text", ["fine", value])


@pytest.mark.parametrize(
    "value", ["a\0b", ["a\0b"], {"k\0": 1}, {"k": {"n": "\0"}}], ids=["text", "list", "key", "deep"]
)
def test_a_nul_is_refused_not_cut(pool: libquery.Pool, value: Any) -> None:
    with pytest.raises(ValueError, match=r"parameter \$1.*U\+0000"):
        pool.query("select $1", [value])
    with pytest.raises(ValueError, match=r"statement 1: parameter \$1.*U\+0000"):
        pool.batch(["select 1", ("select $1", [value])])


def test_other_bad_values(pool: libquery.Pool) -> None:
    with pytest.raises(ValueError, match=r"parameter \$1: a str with a lone surrogate"):
        pool.query("select $1", ["\ud800"])
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(RecursionError):
        pool.query("select $1::jsonb", [endless])
    with pytest.raises(ValueError, match="U\\+0000"):
        pool.query("select '\0'")
    with pytest.raises(TypeError, match="params must be a list or a tuple, not dict"):
        pool.query("select $1", {"a": 1})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="params must be a list or a tuple, not str"):
        pool.query("select $1", "a")
    with pytest.raises(TypeError, match="sql must be a str, not bytes"):
        pool.query(b"select 1")  # type: ignore[arg-type]
    assert pool.query("select 1") == [(1,)]


def test_too_few_and_too_many(pool: libquery.Pool) -> None:
    for params in ([], [1], [1, 2, 3]):
        with pytest.raises(libquery.SqlError) as caught:
            pool.query("select $1::int + $2::int", params)
        assert caught.value.sqlstate == "08P01"
        assert not caught.value.connection_lost
    assert pool.query("select $1::int + $2::int", [1, 2]) == [(3,)]


def test_a_list_for_a_jsonb_is_json_and_for_an_array_an_array(pool: libquery.Pool) -> None:
    assert pool.query("select $1::jsonb, $2::int[], $3::text", [[1, 2], [1, 2], [1, 2]]) == [
        ([1, 2], [1, 2], "[1,2]")
    ]
