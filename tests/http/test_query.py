"""POST /query: what it answers to good requests."""

from __future__ import annotations

import gzip
import http.client
import json
from decimal import Decimal
from typing import Any

import pytest
import requests
from harness import PATIENCE, Server, read_response, request_bytes, wait_until

ONE = (
    '{"columns":[{"name":"one","type":"int4","oid":23}],"rows":[{"one":1}],'
    '"command":"SELECT","row_count":1}'
)


def test_raw_sql_gives_the_documented_bytes(server: Server) -> None:
    response = server.post("select 1 as one")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.text == ONE


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "text/plain",
        "application/sql",
        "application/x-www-form-urlencoded",  # what curl -d says
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded; charset=utf-8",
        "nonsense",
    ],
)
def test_the_content_type_does_not_matter(server: Server, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    assert server.post("select 1 as one", headers=headers).text == ONE
    assert server.post('{"sql": "select 1 as one"}', headers=headers).text == ONE
    # cpp-httplib would take a form for itself, and no more than 8 KiB of it.
    long = server.post(f"select length('{'a&=%41+' * 5000}')", headers=headers)
    assert long.json()["rows"] == [{"length": 7 * 5000}]


def test_no_content_type_at_all(server: Server) -> None:
    with server.connect() as sock:
        sock.sendall(request_bytes(b"select 1 as one"))
        assert read_response(sock)[2].decode() == ONE


def test_params_take_the_type_of_their_parameter(server: Server) -> None:
    def echo(sql: str, *params: object) -> Any:
        return server.value(sql, list(params))

    assert echo("select $1::int + 1", 41) == 42
    assert echo("select $1::text", 'it\'s "quoted" \\ é 🐘') == 'it\'s "quoted" \\ é 🐘'
    assert echo("select $1::bool", True) is True
    assert echo("select $1::int is null", None) is True
    assert echo("select $1::int[]", [1, 2, None]) == [1, 2, None]
    assert echo("select $1::int[]", [[1, 2], [3, 4]]) == [[1, 2], [3, 4]]
    assert echo("select $1::text[]", ["a,b", '"', "NULL", None, ""]) == [
        "a,b",
        '"',
        "NULL",
        None,
        "",
    ]
    assert echo("select $1::jsonb", {"a": [1, {"b": None}]}) == {"a": [1, {"b": None}]}
    assert echo("select $1::jsonb", [1, 2]) == [1, 2]
    assert echo("select $1::json->>'x'", {"x": "y"}) == "y"
    assert echo("select $1::uuid", "6d3a8c1e-0000-4000-8000-000000000001").endswith("1")
    assert echo("select ($1::timestamptz at time zone 'utc')::date", "2024-02-29T12:00:00Z") == (
        "2024-02-29"
    )


def test_numbers_are_exact_in_both_directions(server: Server) -> None:
    def exchange(token: str, kind: str, numbers: str = "exact") -> str:
        text = server.post(
            f'{{"sql": "select $1::{kind} as v", "params": [{token}], "numbers": "{numbers}"}}'
        ).text
        return text.split('"rows":[{"v":')[1].split("}]")[0]

    big = "123456789012345678901234567890.12345678901234567890"
    assert exchange(big, "numeric") == big
    assert exchange("9007199254740993", "int8") == "9007199254740993"
    assert exchange("1.10", "numeric") == "1.10"
    assert exchange("1e400", "numeric") == "1" + "0" * 400
    assert exchange("0.1", "float8") == "0.1"
    assert exchange("-0", "float8") == "-0"
    assert exchange("9007199254740993", "int8", "string") == '"9007199254740993"'
    assert exchange("1.10", "numeric", "string") == '"1.10"'
    assert exchange("7", "int4", "string") == "7"
    rows = json.loads(
        server.post(f'{{"sql": "select $1::numeric", "params": [{big}]}}').text,
        parse_float=Decimal,
    )["rows"]
    assert rows[0]["numeric"] == Decimal(big)


def test_rows_can_be_arrays(server: Server) -> None:
    answer = server.post({"sql": "select 1 as a, 2 as a", "rows": "arrays"}).json()
    assert answer["rows"] == [[1, 2]]
    assert [column["name"] for column in answer["columns"]] == ["a", "a"]


def test_commands_count_or_do_not(server: Server, table: str) -> None:
    def ended(sql: str) -> tuple[str, int | None]:
        answer = server.post(sql).json()
        return answer["command"], answer["row_count"]

    assert ended(f"insert into {table} select g, 'x' from generate_series(1, 3) g") == ("INSERT", 3)
    assert ended(f"update {table} set name = 'y' where id > 1") == ("UPDATE", 2)
    assert ended(f"delete from {table} where id = 1 returning id") == ("DELETE", 1)
    assert ended("set application_name = 'x'") == ("SET", None)
    assert ended(f"create index on {table} (name)") == ("CREATE INDEX", None)
    assert server.post("").status_code == 400
    assert server.value(f"select count(*) from {table}") == 2


def test_max_rows_cuts_and_says_so(server: Server, table: str) -> None:
    answer = server.post({"sql": "select generate_series(1, 10) g", "max_rows": 3}).json()
    assert [row["g"] for row in answer["rows"]] == [1, 2, 3]
    assert answer["truncated"] is True
    whole = server.post({"sql": "select generate_series(1, 3) g", "max_rows": 3}).json()
    assert "truncated" not in whole
    none = server.post({"sql": "select generate_series(1, 3) g", "max_rows": 0}).json()
    assert none["rows"] == []
    assert none["truncated"] is True
    # The effects of a write are kept, whatever is shown of its rows.
    sql = f"insert into {table} select g from generate_series(1, 5) g returning id"
    assert len(server.post({"sql": sql, "max_rows": 2}).json()["rows"]) == 2
    assert server.value(f"select count(*) from {table}") == 5


def test_ndjson_and_csv(server: Server) -> None:
    sql = "select g as id, 'a,\"' || g as name, null::int as n from generate_series(1, 2) g"
    lines = server.post(sql, headers={"Accept": "application/x-ndjson"})
    assert lines.headers["Content-Type"] == "application/x-ndjson"
    assert lines.headers["Query-Row-Count"] == "2"
    assert lines.headers["Query-Truncated"] == "false"
    assert lines.text == '{"id":1,"name":"a,\\"1","n":null}\n{"id":2,"name":"a,\\"2","n":null}\n'
    csv = server.post(sql, headers={"Accept": "text/csv"})
    assert csv.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert csv.text == 'id,name,n\r\n1,"a,""1",\r\n2,"a,""2",\r\n'
    cut = server.post({"sql": sql, "max_rows": 1}, headers={"Accept": "text/csv"})
    assert cut.headers["Query-Truncated"] == "true"
    arrays = server.post({"sql": sql, "rows": "arrays"}, headers={"Accept": "application/x-ndjson"})
    assert arrays.text.splitlines()[0] == '[1,"a,\\"1",null]'


def test_accept_is_negotiated(server: Server) -> None:
    def offered(accept: str) -> str:
        response = server.post("select 1 as one", headers={"Accept": accept})
        return f"{response.status_code} {response.headers['Content-Type'].split(';')[0]}"

    assert offered("*/*") == "200 application/json"
    assert offered("text/csv;q=0.1, application/json;q=0.2") == "200 application/json"
    assert offered("text/html, */*;q=0.1") == "200 application/json"
    assert offered("image/png, application/x-ndjson") == "200 application/x-ndjson"
    assert offered("image/png") == "406 application/json"
    status, error = server.error("select 1", headers={"Accept": "image/png"})
    assert (status, error["code"]) == (406, "not_acceptable")
    for kind in ("application/json", "application/x-ndjson", "text/csv"):
        assert kind in error["message"]


def test_small_results_have_a_length_and_large_ones_chunks(server: Server) -> None:
    # 256 KiB is the border; the last byte of the document counts too.
    def frame(size: int) -> tuple[int, requests.Response]:
        response = server.post({"sql": "select repeat('x', $1::int) as v", "params": [size]})
        assert response.json()["rows"][0]["v"] == "x" * size
        return len(response.content), response

    length, small = frame(250_000)
    assert small.headers["Content-Length"] == str(length)
    overhead = length - 250_000
    length, border = frame(256 * 1024 - overhead)
    assert length == 256 * 1024
    assert border.headers["Content-Length"] == str(length)
    many = server.post("select g, repeat('x', 1000) as v from generate_series(1, 1000) g")
    assert many.headers["Transfer-Encoding"] == "chunked"
    assert "Content-Length" not in many.headers
    assert len(many.json()["rows"]) == 1000


def test_answers_are_not_compressed_behind_the_readers_back(server: Server) -> None:
    response = server.post("select 1 as one", headers={"Accept-Encoding": "gzip, br"})
    assert "Content-Encoding" not in response.headers
    assert response.text == ONE


def test_bodies_may_be_compressed(server: Server) -> None:
    body = gzip.compress(b"select 1 as one")
    assert server.post(body, headers={"Content-Encoding": "gzip"}).text == ONE
    status, error = server.error(b"x", headers={"Content-Encoding": "zstd"})
    assert (status, error["code"]) == (415, "unsupported_encoding")


def test_ranges_mean_nothing(server: Server) -> None:
    for value in ("bytes=0-5", "bytes=9-1", "nonsense"):
        assert server.post("select 1 as one", headers={"Range": value}).text == ONE


def test_chunked_and_expected_bodies(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    connection.request(
        "POST", "/query", body=iter([b"select ", b"1 as", b" one"]), encode_chunked=True
    )
    assert connection.getresponse().read().decode() == ONE
    connection.close()
    with server.connect() as sock:
        sock.sendall(
            b"POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 15\r\n"
            b"Expect: 100-Continue\r\n\r\n"
        )
        assert sock.recv(65536).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        sock.sendall(b"select 1 as one")
        assert read_response(sock)[2].decode() == ONE


def test_one_connection_serves_many_requests_also_pipelined(server: Server) -> None:
    with server.connect() as sock:
        for number in range(20):
            sock.sendall(request_bytes(f"select {number} as n".encode()))
            status, headers, body = read_response(sock)
            assert status == 200
            assert "connection" not in headers
            assert json.loads(body)["rows"] == [{"n": number}]
    three = b"".join(request_bytes(f"select {n} as n".encode()) for n in range(2))
    answer = server.raw(three + request_bytes(b"select 2 as n", "Connection: close")).decode()
    assert [f'"rows":[{{"n":{n}}}]' in answer for n in range(3)] == [True] * 3
    assert answer.count("HTTP/1.1 200 OK") == 3


def test_http_1_0_ends_with_the_connection(server: Server) -> None:
    body = b"select g from generate_series(1, 100000) g"
    head = f"POST /query HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    head_text, _, rest = server.raw(head + body).partition(b"\r\n\r\n")
    assert b"chunked" not in head_text
    assert json.loads(rest)["row_count"] == 100000


def test_a_request_id_is_kept_or_made(server: Server) -> None:
    kept = server.post("select 1", headers={"X-Request-Id": "abc-1.2:3/x"})
    assert kept.headers["X-Request-Id"] == "abc-1.2:3/x"
    for bad in ("a b", "x" * 200, "é".encode()):
        made = server.post("select 1", headers={"X-Request-Id": bad}).headers["X-Request-Id"]
        assert len(made) == 16
    assert server.get("/livez").headers["X-Request-Id"]
    assert server.get("/nowhere").headers["X-Request-Id"]


def test_the_log_says_what_happened_but_not_what_was_said(server: Server) -> None:
    server.post(
        {"sql": "select $1::text, 'literal-secret'", "params": ["param-secret"]},
        headers={"X-Request-Id": "logged-1"},
    )
    server.post("select 'literal-secret' / 0", headers={"X-Request-Id": "logged-2"})

    def logged() -> dict[str, dict[str, Any]]:
        return {line.get("request_id", ""): line for line in server.log_lines()}

    # A line is written when its answer is out.
    wait_until(lambda: {"logged-1", "logged-2"} <= set(logged()), "both are logged")
    lines = logged()
    first = lines["logged-1"]
    assert (first["method"], first["path"], first["status"]) == ("POST", "/query", 200)
    assert first["rows"] == 1
    assert first["bytes"] > 100
    assert first["duration_ms"] >= 0
    assert "code" not in first
    assert lines["logged-2"]["status"] == 400
    assert lines["logged-2"]["code"] == "22P02"
    assert "secret" not in server.log()


def test_the_probes(server: Server) -> None:
    for path in ("/livez", "/readyz"):
        assert server.get(path).status_code == 200
        head = server.session.head(server.url + path, timeout=PATIENCE)
        assert head.status_code == 200
        assert head.content == b""
        assert server.session.post(server.url + path, timeout=PATIENCE).status_code == 405
