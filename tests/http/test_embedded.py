"""The embedded PostgreSQL: first start, restarts, kills, and everything that may be wrong."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness import Server, launched, run, running, wait_until

ROOT = os.geteuid() == 0


@contextmanager
def embedded(directory: Path, *flags: str) -> Iterator[Server]:
    with running("--data-dir", str(directory), *flags, database=None) as server:
        yield server


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that the user postgres can reach, too."""
    import shutil
    import tempfile

    base = Path(tempfile.mkdtemp(prefix="query-embedded-"))
    base.chmod(0o755)
    yield base / "state"
    shutil.rmtree(base)


def postmaster(directory: Path) -> int:
    return int((directory / "data" / "postmaster.pid").read_text().splitlines()[0])


def alive(pid: int) -> bool:
    return (
        Path(f"/proc/{pid}").exists()
        and "Z (zombie)" not in Path(f"/proc/{pid}/status").read_text()
    )


def refused(directory: Path, *flags: str, env: dict[str, str] | None = None) -> str:
    result = run("--listen", "127.0.0.1:0", "--data-dir", str(directory), *flags, env=env)
    assert result.returncode == 1, result
    return result.stderr


def test_its_life(directory: Path) -> None:
    with embedded(directory) as server:
        assert server.post("create table kept (id int)").status_code == 200
        assert server.post("insert into kept values (7)").status_code == 200
        assert server.get("/readyz").status_code == 200

        # Requests are nobody's superuser: no files, no programs.
        assert server.value("select current_user") == "app"
        assert server.value("select usesuper from pg_user where usename = current_user") is False
        for sql in (
            "copy kept from program 'id'",
            "select pg_read_file('/etc/passwd')",
            "select lo_import('/etc/passwd')",
            "create extension dblink",
            "set role postgres",
            "set session authorization postgres",
        ):
            assert server.post(sql).status_code in (400, 403), sql
        assert server.value("show listen_addresses") == ""

        # The data are this user's alone, and so is the way in.
        for path in (directory, directory / "run", directory / "data"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o700
        pid = postmaster(directory)
        owner = Path(f"/proc/{pid}").stat().st_uid
        assert (owner != 0) if ROOT else (owner == os.geteuid())
    wait_until(lambda: not alive(pid), "PostgreSQL ends with the server")

    # Again: what was written is there.
    with embedded(directory) as server:
        assert server.value("select id from kept") == 7

        # A second server cannot have the same data.
        message = refused(directory)
        assert "another query-server is running" in message
        assert str(directory) in message
        assert server.value("select id from kept") == 7

    # Killed: PostgreSQL goes too, and nothing stops the next start.
    with launched("--data-dir", str(directory), database=None) as server:
        server.start()
        pid = postmaster(directory)
        server.signal(signal.SIGKILL)
        server.wait()
    with embedded(directory) as server:
        assert server.value("select id from kept") == 7
    assert not alive(pid)

    # Killed with all of PostgreSQL: recovery, and on.
    with launched("--data-dir", str(directory), database=None) as server:
        server.start().post("insert into kept values (8)")
        os.kill(postmaster(directory), signal.SIGKILL)
        # The server notices, says so and ends.
        assert server.wait() == 1
        assert "has ended by itself" in server.log()
        assert "postgres.log" in server.log()
    with embedded(directory) as server:
        assert server.rows("select id from kept order by 1") == [[7], [8]]

    # Data of another version.
    version = directory / "data" / "PG_VERSION"
    right = version.read_text()
    version.write_text("9\n")
    message = refused(directory)
    assert "made by PostgreSQL 9" in message
    version.write_text(right)

    # A start that fails shows why.
    (directory / "data" / "postgresql.auto.conf").write_text("nonsense = on\n")
    message = refused(directory)
    assert "nonsense" in message
    assert "postgres.log" in message


def test_a_long_path_gets_a_short_socket(directory: Path) -> None:
    deep = directory.parent / ("x" * 60) / ("y" * 60)
    with embedded(deep) as server:
        assert server.value("select 1") == 1
        arguments = Path(f"/proc/{postmaster(deep)}/cmdline").read_text().split("\0")
        socket_directory = arguments[arguments.index("-k") + 1]
        assert len(socket_directory) < 90
        assert Path(socket_directory).exists()
    assert not Path(socket_directory).exists()


def test_a_foreign_directory_is_left_alone(directory: Path) -> None:
    directory.mkdir()
    (directory / "precious").write_text("data")
    message = refused(directory)
    assert "not query-server's" in message
    assert sorted(path.name for path in directory.iterdir()) == ["precious"]
    (directory / "precious").rename(directory / "PG_VERSION")
    assert "data directory of a PostgreSQL" in refused(directory)
    file = directory.parent / "file"
    file.write_text("")
    assert "not a directory" in refused(file)


def test_without_postgresql_it_says_what_to_install(directory: Path) -> None:
    message = refused(directory, "--postgres-bin", "/nonexistent")
    assert "/nonexistent" in message
    assert "apt-get install postgresql" in message
    assert "--database" in message


def test_an_interrupted_first_start_leaves_nothing_in_the_way(directory: Path) -> None:
    with launched("--data-dir", str(directory), database=None) as server:
        wait_until(lambda: (directory / "data.new").exists(), "initdb runs")
        server.signal(signal.SIGKILL)
        server.wait()
    with embedded(directory) as started:
        assert started.value("select 1") == 1


def test_a_stop_while_it_starts_is_obeyed(directory: Path) -> None:
    with launched("--data-dir", str(directory), database=None) as server:
        wait_until(lambda: (directory / "data.new").exists(), "initdb runs")
        server.signal(signal.SIGTERM)
        assert server.wait() == 1
        assert "asked to stop" in server.log() or "initdb was stopped" in server.log()


def test_the_terminals_ctrl_c_does_not_reach_postgresql(directory: Path) -> None:
    with embedded(directory) as server:
        pid = postmaster(directory)
        session = subprocess.run(
            ["ps", "-o", "sid=", "-p", str(pid)], capture_output=True, text=True, check=True
        ).stdout.strip()
        assert int(session) == pid
        assert server.value("select 1") == 1


@pytest.mark.skipif(not ROOT, reason="needs root to become another user")
def test_it_needs_no_root(directory: Path) -> None:
    home = directory.parent / "home"
    home.mkdir()
    user = "nobody"
    subprocess.run(["chown", user, home], check=True)
    server = os.environ["QUERY_SERVER"]
    # The binary may lie where that user cannot go.
    copy = directory.parent / "query-server"
    subprocess.run(["cp", server, copy], check=True)
    command = [
        "setpriv", f"--reuid={user}", "--regid=nogroup", "--clear-groups",
        "env", "-i", f"HOME={home}", str(copy), "--listen", "127.0.0.1:0",
    ]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "listening on" in line:
                break
        else:
            message = "it did not start"
            raise AssertionError(message)
        assert (home / ".local/state/query-server/data/PG_VERSION").exists()
        process.terminate()
        assert process.wait(60) == 0
