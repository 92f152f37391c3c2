"""The program itself: flags, environment, config file, help; and how it ends."""

from __future__ import annotations

import json
import re
import signal
import socket
import time
from pathlib import Path

import pytest
from harness import (
    DSN,
    Background,
    Server,
    read_all,
    read_response,
    request_bytes,
    run,
    running,
    wait_until,
)

README = Path(__file__).parents[2] / "server" / "README.md"


def test_help_is_what_the_readme_says() -> None:
    shown = run("--help")
    assert shown.returncode == 0
    assert shown.stderr == ""
    assert f"```\n{shown.stdout}```" in README.read_text()


def test_version() -> None:
    assert re.fullmatch(r"query-server \d+\.\d+\.\d+\n", run("--version").stdout)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--pool-szie", "3"], 'did you mean "--pool-size"?'),
        (["--pool-size", "x"], "whole number"),
        (["--listen", "0.0.0.0:0"], "--auth none"),
        (["--listen", "nonsense"], "HOST:PORT"),
        (["--config", "/nonexistent"], "cannot be read"),
        (["--database", "nonsense"], "--database"),
        (["--database", "postgresql://h/d?nonsense=1"], "nonsense"),
    ],
)
def test_a_wrong_setting_ends_the_program(flags: list[str], message: str) -> None:
    result = run(*flags, env={} if "--database" in flags else {"DATABASE_URL": "host=x"})
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_a_wrong_connection_string_does_not_show_its_password() -> None:
    for url in ("postgre://u:hunter2@h/d", "host=h password=hunter2 nonsense=1"):
        result = run("--database", url)
        assert result.returncode == 2
        assert "hunter2" not in result.stderr + result.stdout


def test_check_config_shows_what_would_be_used(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('pool-size = 7\ndatabase = "postgresql://u:hunter2@h/d"\n')
    shown = run("--check-config", "--config", str(config), env={"QUERY_MAX_ROWS": "9"})
    assert shown.returncode == 0, shown.stderr
    assert "pool-size = 7\n" in shown.stdout
    assert "max-rows = 9\n" in shown.stdout
    assert "hunter2" not in shown.stdout
    config.write_text("pool-seize = 7\n")
    refused = run("--check-config", "--config", str(config))
    assert refused.returncode == 2
    assert 'did you mean "pool-size"?' in refused.stderr


def test_the_database_may_come_from_a_file_or_the_environment(tmp_path: Path) -> None:
    secret = tmp_path / "database"
    secret.write_text(DSN + "\n")
    with running("--database-file", str(secret), database=None) as server:
        assert server.value("select 1") == 1
    with running(env={"DATABASE_URL": DSN}, database=None) as server:
        assert server.value("select 1") == 1
    with running(
        env={"QUERY_DATABASE": DSN, "DATABASE_URL": "host=/none"}, database=None
    ) as server:
        assert server.value("select 1") == 1
    words = dict(re.findall(r"(\w+)='?([^' ]+)'?", DSN)) if "=" in DSN and "://" not in DSN else {}
    if {"host", "user", "dbname"} <= set(words):
        names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "dbname": "PGDATABASE"}
        variables = {names[word]: value for word, value in words.items() if word in names}
        with running(env=variables, database=None) as server:
            assert server.value("select 1") == 1


def test_healthcheck(server: Server) -> None:
    listen = f"127.0.0.1:{server.port}"
    assert run("--healthcheck", "--listen", listen).returncode == 0
    assert (
        run("--healthcheck", "--listen", f"0.0.0.0:{server.port}", "--auth", "none").returncode == 0
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        dead = run("--healthcheck", "--listen", f"127.0.0.1:{free.getsockname()[1]}")
    assert dead.returncode == 1
    assert "no connection" in dead.stderr


def test_a_port_that_is_taken_is_named(server: Server) -> None:
    result = run("--listen", f"127.0.0.1:{server.port}", "--database", DSN)
    assert result.returncode == 1
    assert f"cannot listen on 127.0.0.1:{server.port}" in result.stderr
    assert "in use" in result.stderr


def test_it_says_where_it_listens_with_a_curl_line_that_works(server: Server) -> None:
    messages = [line["message"] for line in server.log_lines() if "message" in line]
    assert f"listening on http://127.0.0.1:{server.port}" in messages
    curl = next(message for message in messages if message.startswith("try: "))
    assert curl == f"try: curl localhost:{server.port}/query -d 'select 1 as one'"


def test_without_its_database_it_lives_but_is_not_ready() -> None:
    with running(database="host=/nonexistent user=secretuser") as server:
        assert server.get("/livez").status_code == 200
        assert server.get("/readyz").status_code == 503
        status, error = server.error("select 1")
        assert (status, error["code"]) == (503, "unavailable")
        assert "/nonexistent" not in json.dumps(error)
        assert "secretuser" not in json.dumps(error)
        assert "/nonexistent" in server.log()  # the operator may know


def test_sigterm_ends_an_idle_server_at_once() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        with running() as server, server.connect() as idle:
            idle.sendall(request_bytes(b"select 1"))
            assert read_response(idle)[0] == 200
            server.signal(number)
            assert server.wait() == 0
            assert read_all(idle) == b""


def test_sigterm_lets_running_requests_end() -> None:
    with running("--drain-timeout-ms", "60000") as server:
        running_request = Background(lambda: server.post("select pg_sleep(2), 7 as seven"))
        wait_until(
            lambda: server.value(
                "select count(*) from pg_stat_activity where query like '%7 as seven'"
            ),
            "the request runs",
        )
        server.signal(signal.SIGTERM)
        answer = running_request.result()
        assert answer.status_code == 200
        assert answer.json()["rows"][0]["seven"] == 7
        assert answer.headers["Connection"] == "close"
        assert server.wait() == 0


def test_sigterm_serves_on_for_the_drain_delay() -> None:
    with running("--drain-delay-ms", "3000") as server:
        assert server.get("/readyz").status_code == 200
        server.signal(signal.SIGTERM)
        wait_until(lambda: server.get("/readyz").status_code == 503, "the server is not ready")
        # New connections are still served, and told not to stay.
        answer = server.post("select 1 as one")
        assert answer.status_code == 200
        assert answer.headers["Connection"] == "close"
        assert server.get("/livez").status_code == 200
        assert server.wait() == 0


def test_what_does_not_end_in_time_is_cancelled() -> None:
    with running("--drain-timeout-ms", "500") as server:
        long_request = Background(lambda: server.post("select pg_sleep(100) as drained"))
        wait_until(
            lambda: server.value(
                "select count(*) from pg_stat_activity where query like '%as drained'"
            ),
            "the request runs",
        )
        started = time.monotonic()
        server.signal(signal.SIGTERM)
        answer = long_request.result()
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "unavailable"
        assert server.wait() == 0
        assert time.monotonic() - started < 30


def test_a_second_signal_hurries() -> None:
    with running("--drain-delay-ms", "600000", "--drain-timeout-ms", "600000") as server:
        server.signal(signal.SIGTERM)
        wait_until(lambda: server.get("/readyz").status_code == 503, "the server drains")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0


def test_it_ends_with_a_reader_that_never_reads() -> None:
    with running("--drain-timeout-ms", "300") as server, server.connect() as sock:
        sock.sendall(request_bytes(b"select repeat('x', 1000) from generate_series(1, 1000000)"))
        assert sock.recv(100).startswith(b"HTTP/1.1 200")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
