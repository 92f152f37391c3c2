"""The pool: what a program starts with."""

from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple, Self

from libquery import _core
from libquery._rows import Rows
from libquery._stream import JsonStream
from libquery._transaction import Transaction
from libquery._types import Framing, Isolation, Numbers, Params, RowShape, Statement


class PoolStats(NamedTuple):
    """Sizes at the moment, and counters since the pool was made."""

    size: int
    """Connections open or being opened."""
    idle: int
    """Of these, free."""
    waiting: int
    """Callers that wait for a connection."""
    acquired: int
    waited: int
    """Of these acquisitions, how many had to wait."""
    refused_busy: int
    connected: int
    connect_failed: int
    discarded: int
    """Connections closed because they were broken or in doubt."""
    expired: int
    """Connections closed because of max_idle or max_lifetime."""
    resets: int
    resets_skipped: int
    """Leases that provably left their session as it was, and spared it the reset."""


class Pool:
    """A bounded set of connections to one database, shared by all threads of a process.

    ``conninfo`` is a libpq connection string or URI; what it leaves out comes from the ``PG*``
    environment variables. Connections are made when they are needed. After a fork the child needs
    a Pool of its own.

    All durations are seconds. A ``timeout`` counts from the call to the last row, the wait for a
    connection included; when it passes, the statement is cancelled and ``Timeout`` is raised.
    """

    __slots__ = ("__weakref__", "_core")

    def __init__(
        self,
        conninfo: str = "",
        *,
        max_size: int = 10,
        max_waiting: int = 1024,
        max_wait: float = 2.0,
        max_idle: float = 300.0,
        max_lifetime: float = 1800.0,
        connect_timeout: float = 5.0,
        statement_cache: int = 256,
        reset_session: bool = True,
    ) -> None:
        """
        max_size         connections at most
        max_waiting      callers that may wait for one; one more gets Busy at once
        max_wait         how long they wait, then Busy
        max_idle         an unused connection is closed after this
        max_lifetime     a connection is closed after this, give or take a tenth
        connect_timeout  for one attempt to connect
        statement_cache  prepared statements a connection keeps; 0 for none
        reset_session    reset a session before another caller gets it; False only behind a pooler
                         that does so itself
        """
        self._core = _core.Pool(
            conninfo,
            max_size,
            max_waiting,
            max_wait,
            max_idle,
            max_lifetime,
            connect_timeout,
            statement_cache,
            reset_session,
        )

    def query(
        self,
        sql: str,
        params: Params | None = None,
        *,
        timeout: float | None = None,
        read_only: bool = False,
        max_rows: int | None = None,
    ) -> Rows:
        """Runs one statement and returns its rows as Python values.

        ``params`` are the values of ``$1``, ``$2`` ...; they travel beside the SQL, never inside it.
        ``read_only`` runs it in a READ ONLY transaction that it cannot leave. ``max_rows`` stops
        there; ``Rows.truncated`` then says that there were more.
        """
        return Rows(*self._core.query(sql, params, timeout, read_only, max_rows))

    def query_json(
        self,
        sql: str,
        params: Params | None = None,
        *,
        rows: RowShape = "objects",
        numbers: Numbers = "exact",
        timeout: float | None = None,
        read_only: bool = False,
        max_rows: int | None = None,
    ) -> bytes:
        """Runs one statement and returns its answer as JSON, the very bytes that query-server
        sends. ``numbers="string"`` quotes int8 and numeric, for readers that use doubles."""
        return self._core.query_json(sql, params, timeout, read_only, max_rows, rows, numbers)

    def stream_json(
        self,
        sql: str,
        params: Params | None = None,
        *,
        framing: Framing = "document",
        rows: RowShape = "objects",
        numbers: Numbers = "exact",
        chunk_size: int = 65536,
        timeout: float | None = None,
        read_only: bool = False,
        max_rows: int | None = None,
    ) -> JsonStream:
        """Runs one statement and returns its answer as an iterator of bytes, in constant memory.

        ``framing`` is ``"document"`` (as ``query_json``), ``"lines"`` (a row a line, NDJSON) or
        ``"csv"`` (with a header line). A chunk holds about ``chunk_size`` bytes. An error in the
        statement is raised here; ``timeout`` goes on to the last chunk.
        """
        return JsonStream(
            self._core.stream_json(
                sql, params, timeout, read_only, max_rows, rows, numbers, framing, chunk_size
            )
        )

    def batch(
        self,
        statements: Sequence[Statement],
        *,
        isolation: Isolation | None = None,
        read_only: bool = False,
        deferrable: bool = False,
        timeout: float | None = None,
        max_rows: int | None = None,
    ) -> list[Rows]:
        """Runs statements, each a str or a tuple ``(sql, params)``, in one transaction and one
        round trip: all of them or none. ``SqlError.statement`` is the index of one that failed."""
        answers = self._core.batch(statements, isolation, read_only, deferrable, timeout, max_rows)
        return [Rows(*answer) for answer in answers]

    def batch_json(
        self,
        statements: Sequence[Statement],
        *,
        rows: RowShape = "objects",
        numbers: Numbers = "exact",
        isolation: Isolation | None = None,
        read_only: bool = False,
        deferrable: bool = False,
        timeout: float | None = None,
        max_rows: int | None = None,
    ) -> bytes:
        """As ``batch``, its answer as JSON: ``{"results":[...]}``."""
        return self._core.batch_json(
            statements, isolation, read_only, deferrable, timeout, max_rows, rows, numbers
        )

    def transaction(
        self,
        *,
        isolation: Isolation | None = None,
        read_only: bool = False,
        deferrable: bool = False,
        timeout: float | None = None,
    ) -> Transaction:
        """A transaction for one ``with`` block. ``timeout`` counts from the block's beginning to
        the end of its COMMIT. ``deferrable`` acts with ``serializable`` and ``read_only`` only."""
        return Transaction(lambda: self._core.begin(isolation, read_only, deferrable, timeout))

    def stats(self) -> PoolStats:
        """Counters, for logs and monitoring."""
        return PoolStats(**self._core.stats())

    def close(self) -> None:
        """Closes idle connections now and the others when they come back; who waits, or calls
        later, gets ``Busy``. May be called again."""
        self._core.close()

    def close_idle(self) -> None:
        """Closes idle connections; the pool goes on."""
        self._core.close_idle()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
