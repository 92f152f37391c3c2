"""A web page must not be able to use the server behind its visitor's back."""

from __future__ import annotations

import pytest
from harness import PATIENCE, Server, running

APP = "https://app.example.org"


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://localhost:8080", "https://app.example.org.evil", ""],
)
def test_a_foreign_origin_is_refused(server: Server, table: str, origin: str) -> None:
    status, error = server.error(f"insert into {table} values (1, 'x')", headers={"Origin": origin})
    assert (status, error["code"]) == (403, "forbidden")
    assert server.value(f"select count(*) from {table}") == 0
    preflight = server.session.options(
        f"{server.url}/query",
        headers={"Origin": origin, "Access-Control-Request-Method": "POST"},
        timeout=PATIENCE,
    )
    assert preflight.status_code == 403
    assert "Access-Control-Allow-Origin" not in preflight.headers


def test_an_allowed_origin_passes() -> None:
    with running("--allow-origin", APP, "--allow-origin", "http://other:1") as server:
        for origin in (APP, "http://other:1"):
            answer = server.post("select 1", headers={"Origin": origin})
            assert answer.status_code == 200
            assert answer.headers["Access-Control-Allow-Origin"] == origin
            assert answer.headers["Vary"] == "Origin"
            assert "X-Request-Id" in answer.headers["Access-Control-Expose-Headers"]
        # Errors too, or the page could not read them.
        assert (
            server.post("select 1/0", headers={"Origin": APP}).headers[
                "Access-Control-Allow-Origin"
            ]
            == APP
        )
        preflight = server.session.options(
            f"{server.url}/query",
            headers={
                "Origin": APP,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "content-type",
            },
            timeout=PATIENCE,
        )
        assert preflight.status_code == 204
        assert preflight.headers["Access-Control-Allow-Origin"] == APP
        assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
        assert "Content-Type" in preflight.headers["Access-Control-Allow-Headers"]
        assert preflight.headers["Vary"] == "Origin"
        assert server.error("select 1", headers={"Origin": "https://evil.example"})[0] == 403


def test_options_without_an_origin_says_what_is_possible(server: Server) -> None:
    answer = server.session.options(f"{server.url}/query", timeout=PATIENCE)
    assert answer.status_code == 204
    assert answer.headers["Allow"] == "POST, OPTIONS"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "app.localhost"])
def test_names_of_this_machine_are_taken(server: Server, host: str) -> None:
    for name in (host, f"{host}:{server.port}"):
        assert server.post("select 1", headers={"Host": name}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.1.2.3:8080"])
def test_a_rebound_name_is_refused(server: Server, host: str) -> None:
    status, error = server.error("select 1", headers={"Host": host})
    assert (status, error["code"]) == (403, "forbidden")


def test_names_do_not_matter_where_something_stands_in_front() -> None:
    with running("--auth", "none") as server:
        assert server.post("select 1", headers={"Host": "query.svc:80"}).status_code == 200
        assert server.post("select 1", headers={"Origin": "http://evil"}).status_code == 403
