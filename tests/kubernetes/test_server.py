"""query-server with the environment, the secret, the probes and the signal that its pod gets."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from cluster import Cluster, free_port
from objects import API, Objects
from render import ROOT


def binary() -> Path:
    named = os.environ.get("QUERY_SERVER")
    return Path(named) if named else ROOT / "build/release/server/query-server"


@dataclass
class Server:
    process: subprocess.Popen[str]
    url: str

    def status(self, path: str) -> int:
        return requests.get(self.url + path, timeout=5).status_code

    def wait_for(self, path: str, status: int, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        found: object = None
        while time.monotonic() < deadline:
            try:
                found = self.status(path)
            except requests.ConnectionError as error:
                found = error
            if found == status:
                return
            assert self.process.poll() is None, self.process.communicate(timeout=5)
            time.sleep(0.05)
        message = f"{path} is not {status} within {seconds} s: {found}"
        raise AssertionError(message)


@pytest.fixture
def server(overlays: dict[str, Objects], cluster: Cluster, tmp_path: Path) -> Iterator[Server]:
    if not binary().exists():
        pytest.skip(f"{binary()} is not built; QUERY_SERVER names another")
    objects = overlays["dev"]
    url = objects.secret(API)["DATABASE_URL"]
    here = f"{urlsplit(url).username}:{urlsplit(url).password}@127.0.0.1:{cluster.port}"
    file = tmp_path / "database-url"
    file.write_text(url.replace(urlsplit(url).netloc, here))
    listen = f"127.0.0.1:{free_port()}"
    environment = {
        **objects.config(),
        "QUERY_LISTEN": listen,
        "QUERY_DATABASE_FILE": str(file),
        "PGAPPNAME": "query-server-abc",
    }
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [binary()],
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            text=True,
        )
    try:
        yield Server(process, f"http://{listen}")
    finally:
        process.kill()
        process.wait(timeout=10)


def probe_path(objects: Objects, name: str) -> str:
    (container,) = objects.api_pod["containers"]
    path: str = container[name]["httpGet"]["path"]
    return path


def test_pod_serves_and_drains(overlays: dict[str, Objects], server: Server) -> None:
    objects = overlays["dev"]
    server.wait_for(probe_path(objects, "startupProbe"), 200, 20)
    server.wait_for(probe_path(objects, "readinessProbe"), 200, 20)
    sql = "SELECT current_user, current_schema, current_setting('application_name') AS pod"
    answer = requests.post(server.url + "/query", data=sql, timeout=10)
    assert answer.status_code == 200, answer.text
    assert json.loads(answer.text)["rows"] == [
        {"current_user": "app_rw", "current_schema": "app", "pod": "query-server-abc"}
    ]

    server.process.send_signal(signal.SIGTERM)
    # Not ready, alive, and serving: the endpoints have not learned of it yet.
    server.wait_for(probe_path(objects, "readinessProbe"), 503, 3)
    assert server.status(probe_path(objects, "livenessProbe")) == 200
    assert requests.post(server.url + "/query", data="SELECT 1", timeout=10).status_code == 200
    grace = objects.api_pod["terminationGracePeriodSeconds"]
    assert server.process.wait(timeout=grace) == 0


def test_server_knows_every_setting(overlays: dict[str, Objects], tmp_path: Path) -> None:
    if not binary().exists():
        pytest.skip(f"{binary()} is not built; QUERY_SERVER names another")
    file = tmp_path / "database-url"
    file.write_text(overlays["prod"].secret(API)["DATABASE_URL"])
    settings = {**overlays["prod"].config(), "QUERY_DATABASE_FILE": str(file)}
    command = [str(binary()), "--check-config"]

    def check(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=20, check=False
        )

    done = check(settings)
    assert done.returncode == 0, done.stderr
    shown = done.stdout + done.stderr
    for value in ("0.0.0.0:8080", str(file)):
        assert value in shown, shown
    # As the pod would without its authentication setting.
    settings.pop("QUERY_AUTH")
    assert check(settings).returncode != 0
