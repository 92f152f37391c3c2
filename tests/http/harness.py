"""Starts the real query-server and talks to it, by a real HTTP client or by bare sockets."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

SERVER = os.environ.get("QUERY_SERVER", "")
DSN = os.environ.get("LIBQUERY_TEST_DSN", "")
# For what measures memory: the address sanitizer would keep what was freed for a while.
FREES_AT_ONCE = {"ASAN_OPTIONS": "quarantine_size_mb=1:thread_local_quarantine_size_kb=64"}
PATIENCE = 30.0  # generous: these machines are busy


def wait_until(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> Any:
    """The first true value of the condition."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            message = f"waited {seconds} s in vain until {what}"
            raise AssertionError(message)
        time.sleep(0.02)


class Server:
    """A running query-server on a port of its own."""

    def __init__(
        self, *flags: str, env: dict[str, str] | None = None, database: str | None = DSN
    ) -> None:
        # No variable of the caller's may name another database.
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PG", "QUERY_", "DATABASE_URL"))
        }
        command = [SERVER, "--listen", "127.0.0.1:0"]
        if database is not None:
            command += ["--database", database]
        self.log_file = tempfile.TemporaryFile()  # noqa: SIM115 - closed in stop()
        self.process = subprocess.Popen(
            [*command, *flags], env={**clean, **(env or {})}, stderr=self.log_file
        )
        self.port = 0
        self.session = requests.Session()
        self.session.trust_env = False

    def start(self, seconds: float = 120) -> Server:
        def listening() -> bool:
            if self.process.poll() is not None:
                message = f"the server ended with {self.process.returncode}: {self.log()}"
                raise AssertionError(message)
            found = re.search(r"listening on http://127\.0\.0\.1:(\d+)", self.log())
            self.port = int(found.group(1)) if found else 0
            return self.port > 0

        wait_until(listening, "the server listens", seconds)
        return self

    def log(self) -> str:
        size = os.fstat(self.log_file.fileno()).st_size
        return os.pread(self.log_file.fileno(), size, 0).decode()

    def log_lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log().splitlines()]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def post(self, body: object, **options: Any) -> requests.Response:
        """POST /query; anything but text and bytes is sent as JSON."""
        data = body if isinstance(body, (str, bytes)) else json.dumps(body)
        if isinstance(data, str):
            data = data.encode()
        options.setdefault("timeout", 2 * PATIENCE)
        return self.session.post(f"{self.url}/query", data=data, **options)

    def rows(self, sql: str, params: list[Any] | None = None, **members: Any) -> list[Any]:
        """The rows as arrays; fails on any error."""
        response = self.post({"sql": sql, "params": params or [], "rows": "arrays", **members})
        assert response.status_code == 200, response.text
        return list(response.json()["rows"])

    def value(self, sql: str, params: list[Any] | None = None, **members: Any) -> Any:
        return self.rows(sql, params, **members)[0][0]

    def error(self, body: object, **options: Any) -> tuple[int, dict[str, Any]]:
        """The status and the error object of a request that must fail."""
        response = self.post(body, **options)
        assert response.status_code >= 400, response.text
        assert response.headers["Content-Type"] == "application/json"
        return response.status_code, response.json()["error"]

    def get(self, path: str) -> requests.Response:
        return self.session.get(self.url + path, timeout=PATIENCE)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def raw(self, data: bytes) -> bytes:
        """All that comes back for these bytes, until the server closes."""
        with self.connect() as sock:
            sock.sendall(data)
            return read_all(sock)

    def resident_kb(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found
        return int(found.group(1))

    def has_shadow_memory(self) -> bool:
        """Whether the thread sanitizer is there, which doubles all memory and more."""
        return "libtsan" in Path(f"/proc/{self.process.pid}/maps").read_text()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = 60) -> int:
        return self.process.wait(seconds)

    def stop(self) -> int:
        """Ends the server politely and gives its exit status."""
        self.session.close()
        try:
            if self.process.poll() is None:
                self.signal(signal.SIGTERM)
                try:
                    self.wait()
                except subprocess.TimeoutExpired:
                    self.process.kill()
                    self.process.wait()
                    raise
            return self.process.returncode
        finally:
            self.log_file.close()


@contextmanager
def launched(
    *flags: str, env: dict[str, str] | None = None, database: str | None = DSN
) -> Iterator[Server]:
    """A server that may never get to listen, and may end in any way; it is gone afterwards."""
    server = Server(*flags, env=env, database=database)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait()
        server.session.close()
        server.log_file.close()


@contextmanager
def running(
    *flags: str, env: dict[str, str] | None = None, database: str | None = DSN
) -> Iterator[Server]:
    """A server that listens; in the end it must go as it should (sanitizers speak up there)."""
    server = Server(*flags, env=env, database=database)
    try:
        yield server.start()
    except BaseException:
        server.stop()
        raise
    assert server.stop() == 0


def run(*flags: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs the program to its end."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PG", "QUERY_", "DATABASE_URL"))
    }
    return subprocess.run(
        [SERVER, *flags],
        env={**clean, **(env or {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def read_all(sock: socket.socket) -> bytes:
    data = b""
    while True:
        try:
            part = sock.recv(65536)
        except ConnectionResetError:
            return data
        if not part:
            return data
        data += part


def read_response(sock: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """One response with a Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = sock.recv(65536)
        assert part, f"the connection ended after {data!r}"
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines[1:])
    }
    while len(body) < int(headers["content-length"]):
        part = sock.recv(65536)
        assert part, "the connection ended inside a body"
        body += part
    return int(lines[0].split(" ")[1]), headers, body


def request_bytes(body: bytes, *headers: str) -> bytes:
    lines = ["POST /query HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Background:
    """A call on a thread of its own."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._result: Any = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(call,), daemon=True)
        self._thread.start()

    def _run(self, call: Callable[[], Any]) -> None:
        try:
            self._result = call()
        except Exception as error:  # noqa: BLE001 - given to who asks for the result
            self._error = error

    def running(self) -> bool:
        return self._thread.is_alive()

    def result(self, seconds: float = 60) -> Any:
        self._thread.join(seconds)
        assert not self._thread.is_alive(), "the call has not ended"
        if self._error is not None:
            raise self._error
        return self._result
