"""The init scripts, pg_hba.conf, postgresql.conf, probes and the shutdown, on a real PostgreSQL."""

import subprocess
import time
from pathlib import Path

import pytest
from cluster import Cluster, probe
from objects import Objects


def as_app(cluster: Cluster, text: str) -> subprocess.CompletedProcess[str]:
    return cluster.over_tcp(text, "app_rw", cluster.app_password)


def test_app_rw_has_no_privilege_beyond_login(cluster: Cluster) -> None:
    row = cluster.sql(
        "SELECT rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls,"
        " rolconnlimit FROM pg_roles WHERE rolname = 'app_rw'"
    )
    assert row == "t|f|f|f|f|f|110"
    memberships = "SELECT count(*) FROM pg_auth_members WHERE member = 'app_rw'::regrole"
    assert cluster.sql(memberships) == "0"


def test_app_rw_owns_its_schema_alone(cluster: Cluster) -> None:
    owned = "SELECT nspname FROM pg_namespace WHERE nspowner = 'app_rw'::regrole"
    assert cluster.sql(owned) == "app"
    assert cluster.sql("SELECT count(*) FROM pg_database WHERE datdba = 'app_rw'::regrole") == "0"


def test_app_rw_uses_tables_of_its_own(cluster: Cluster) -> None:
    done = as_app(
        cluster,
        "CREATE TABLE film (id int PRIMARY KEY, title text);"
        "INSERT INTO film VALUES (7, 'Metropolis'); ALTER TABLE film ADD COLUMN year int;"
        "SELECT title FROM film; CREATE TEMP TABLE t (i int);",
    )
    assert (done.returncode, done.stdout.strip()) == (0, "Metropolis"), done.stderr
    where = "SELECT schemaname FROM pg_tables WHERE tablename = 'film'"
    assert cluster.sql(where) == "app"


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT rolpassword FROM pg_authid",
        "CREATE ROLE other",
        "CREATE DATABASE other",
        "CREATE SCHEMA other",
        "CREATE TABLE public.t (i int)",
        "ALTER ROLE app_rw CREATEDB",
        "ALTER ROLE app_rw CONNECTION LIMIT 200",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION postgres",
        "COPY (SELECT 1) TO PROGRAM 'cat'",
        "COPY (SELECT 1) TO '/tmp/file'",
        "SELECT pg_read_file('/etc/passwd')",
        "ALTER SYSTEM SET log_statement = 'all'",
        "SELECT pg_reload_conf()",
        "CREATE EXTENSION file_fdw",
    ],
)
def test_app_rw_is_refused(cluster: Cluster, statement: str) -> None:
    done = as_app(cluster, statement)
    assert done.returncode != 0, done.stdout
    assert "permission denied" in done.stderr or "must be" in done.stderr, done.stderr


def test_app_rw_has_limits_of_time(cluster: Cluster) -> None:
    shown = {
        "statement_timeout": "310s",
        "lock_timeout": "1min",
        "idle_in_transaction_session_timeout": "1min",
    }
    if cluster.version >= 17:
        shown["transaction_timeout"] = "320s"
    done = as_app(cluster, "; ".join(f"SHOW {setting}" for setting in shown))
    assert done.stdout.split() == list(shown.values())


def test_network_is_for_app_rw_with_its_password(cluster: Cluster) -> None:
    assert as_app(cluster, "SELECT 1").returncode == 0
    wrong = cluster.over_tcp("SELECT 1", "app_rw", "wrong")
    assert wrong.returncode == 2
    assert "password authentication failed" in wrong.stderr


@pytest.mark.parametrize(
    ("user", "database"),
    [
        ("postgres", "app"),
        ("postgres", "postgres"),
        ("app_rw", "postgres"),
        ("app_rw", "template1"),
    ],
)
def test_network_is_for_nothing_else(cluster: Cluster, user: str, database: str) -> None:
    passwords = {"app_rw": cluster.app_password}
    passwords["postgres"] = (cluster.dir / "secrets/superuser-password").read_text()
    done = cluster.over_tcp("SELECT 1", user, passwords[user], database)
    assert done.returncode == 2
    assert "no pg_hba.conf entry" in done.stderr


def test_databases_are_closed_even_without_pg_hba(cluster: Cluster) -> None:
    may = "SELECT string_agg(datname, ',') FROM pg_database WHERE datallowconn AND "
    assert cluster.sql(may + "has_database_privilege('app_rw', oid, 'CONNECT')") == "app"


def test_password_is_kept_as_scram_and_not_logged(cluster: Cluster) -> None:
    kept = cluster.sql("SELECT left(rolpassword, 14) FROM pg_authid WHERE rolname = 'app_rw'")
    assert kept == "SCRAM-SHA-256$"
    assert cluster.app_password not in cluster.log.read_text()


def test_connections_are_those_of_the_budget(cluster: Cluster) -> None:
    free = "current_setting('max_connections')::int"
    reserved = "current_setting('superuser_reserved_connections')::int"
    limit = "(SELECT rolconnlimit FROM pg_roles WHERE rolname = 'app_rw')"
    assert cluster.sql(f"SELECT {limit} <= {free} - {reserved}") == "t"


def test_settings_come_from_the_config_map(cluster: Cluster) -> None:
    source = "SELECT sourcefile FROM pg_settings WHERE name = 'max_connections'"
    assert cluster.sql(source) == f"{cluster.dir}/conf/postgresql.conf"
    # What the command line overrides, for this test, counts as not applied.
    faulty = "SELECT name FROM pg_file_settings WHERE error IS NOT NULL"
    assert cluster.sql(faulty) in ("", "listen_addresses")
    assert cluster.sql("SELECT count(*) FROM pg_hba_file_rules WHERE error IS NOT NULL") == "0"
    assert cluster.sql("SHOW data_checksums") == "on"


def test_readiness_waits_for_the_end_of_initialisation(bootstrap: tuple[Cluster, int]) -> None:
    cluster, ready_in_bootstrap = bootstrap
    assert ready_in_bootstrap != 0
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert probe(cluster, name) == 0


@pytest.mark.parametrize("password", ["", None])
def test_first_start_without_a_password_is_no_start(
    overlays: dict[str, Objects], password: str | None
) -> None:
    """The script fails, and what it leaves behind never counts as started."""
    cluster = Cluster(overlays["dev"])
    try:
        file = cluster.dir / "secrets/app-rw-password"
        if password is None:
            file.unlink()
        else:
            file.write_text(password)
        cluster.initdb()
        cluster.start(bootstrap=True)
        with pytest.raises(RuntimeError, match="APP_RW_PASSWORD_FILE names is missing or empty"):
            cluster.create()
        # The container starts again, and the entrypoint finds a cluster: no init scripts.
        cluster.stop()
        cluster.start()
        command = cluster.command("startupProbe")
        started = cluster.run(*command, check=False, PGPORT=str(cluster.port))
        assert started.returncode == 1
        assert "the first start was cut short" in started.stdout
        file.write_text("mended")
        file.chmod(0o644)
        cluster.run(*cluster.psql("app"), "-f", f"{cluster.dir}/initdb.d/20-app-rw.sql")
        assert probe(cluster, "startupProbe") == 0
    finally:
        cluster.remove()


def test_password_of_app_rw_is_mended_as_readme_says(cluster: Cluster) -> None:
    """PostgreSQL lets every role change its own password: so may whoever sends SQL."""
    assert as_app(cluster, "ALTER ROLE app_rw PASSWORD 'changed'").returncode == 0
    try:
        assert as_app(cluster, "SELECT 1").returncode == 2
    finally:
        cluster.sql(f"ALTER ROLE app_rw PASSWORD '{cluster.app_password}'")
    assert as_app(cluster, "SELECT 1").returncode == 0


def test_init_script_makes_all_or_nothing(overlays: dict[str, Objects]) -> None:
    """The role is the sign that the script was through, so it comes with everything else."""
    cluster = Cluster(overlays["dev"])
    try:
        cluster.initdb()
        cluster.start(bootstrap=True)
        cluster.sql("CREATE DATABASE app", "postgres")
        # A schema that is in the way makes the script fail after CREATE ROLE.
        cluster.sql("CREATE SCHEMA app")
        with pytest.raises(RuntimeError, match='schema "app" already exists'):
            cluster.run(*cluster.psql("app"), "-f", f"{cluster.dir}/initdb.d/20-app-rw.sql")
        assert cluster.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'app_rw'") == "0"
    finally:
        cluster.remove()


def test_app_rw_cannot_stop_the_next_start(cluster: Cluster) -> None:
    assert as_app(cluster, "ALTER ROLE app_rw PASSWORD NULL").returncode == 0
    try:
        assert probe(cluster, "startupProbe") == 0
    finally:
        cluster.sql(f"ALTER ROLE app_rw PASSWORD '{cluster.app_password}'")


@pytest.mark.parametrize(("answer", "alive"), [(0, True), (1, True), (2, False)])
def test_liveness_fails_on_silence_alone(cluster: Cluster, answer: int, alive: bool) -> None:
    folder = Path(cluster.dir) / f"answer-{answer}"
    folder.mkdir()
    folder.chmod(0o755)
    stand_in = folder / "pg_isready"
    stand_in.write_text(f"#!/bin/sh\nexit {answer}\n")
    stand_in.chmod(0o755)
    command = cluster.command("livenessProbe")
    done = cluster.run(*command, check=False, PATH=f"{folder}:/usr/bin:/bin")
    assert (done.returncode == 0) == alive


def test_shutdown_does_not_wait_for_clients(overlays: dict[str, Objects]) -> None:
    cluster = Cluster(overlays["dev"])
    try:
        cluster.initdb()
        cluster.start()
        sleep = [*cluster.psql("postgres"), "-c", "SELECT pg_sleep(60)"]
        sleeper = cluster.start_process(*sleep)
        try:
            active = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
            deadline = time.monotonic() + 20
            while cluster.sql(active, "postgres") != "1":
                assert time.monotonic() < deadline, "the client does not sleep"
                time.sleep(0.1)
            cluster.run(*cluster.command("lifecycle", "preStop"))
            _, told = sleeper.communicate(timeout=20)
            assert "terminating connection due to administrator command" in told
        finally:
            sleeper.kill()
            sleeper.communicate(timeout=10)
        pid_file = Path(cluster.environment["PGDATA"]) / "postmaster.pid"
        deadline = time.monotonic() + 20
        while pid_file.exists():
            assert time.monotonic() < deadline, "the server is still there"
            time.sleep(0.1)
        assert "database system is shut down" in cluster.log.read_text()
        assert probe(cluster, "livenessProbe") != 0
        assert probe(cluster, "readinessProbe") != 0
    finally:
        cluster.remove()
