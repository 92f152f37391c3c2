"""A look at the server's sessions from outside."""

import time

import libquery


class Observer:
    """Sees what other sessions run, from a session of its own."""

    def __init__(self, pool: libquery.Pool) -> None:
        self._pool = pool

    def running(self, marker: str) -> list[int]:
        """The backends that run a statement with `marker` in its text."""
        rows = self._pool.query(
            "select pid from pg_stat_activity where state = 'active' "
            "and pid <> pg_backend_pid() and query like '%' || $1 || '%'",
            [marker],
        )
        return [pid for (pid,) in rows]

    def wait_for(self, marker: str, *, count: int = 1, seconds: float = 15) -> list[int]:
        """Waits until exactly `count` backends run such a statement."""
        deadline = time.monotonic() + seconds
        while len(pids := self.running(marker)) != count:
            assert time.monotonic() < deadline, f"{len(pids)} sessions run {marker!r}, not {count}"
            time.sleep(0.02)
        return pids

    def terminate(self, pid: int) -> None:
        self._pool.query("select pg_terminate_backend($1)", [pid])
