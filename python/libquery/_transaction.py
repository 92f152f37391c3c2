"""A transaction block."""

from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from libquery import _core
from libquery._errors import Error
from libquery._rows import Rows
from libquery._stream import JsonStream
from libquery._types import Framing, Numbers, Params, RowShape


class Transaction:
    """What ``Pool.transaction()`` returns, for one ``with`` block: it begins there, commits at its
    end, and rolls back where an exception leaves the block.

    Keeps a connection of the pool for as long. Not for two threads at a time.
    """

    __slots__ = ("_begin", "_core")

    def __init__(self, begin: Callable[[], _core.Transaction]) -> None:
        self._begin = begin
        self._core: _core.Transaction | None = None

    def query(
        self,
        sql: str,
        params: Params | None = None,
        *,
        timeout: float | None = None,
        max_rows: int | None = None,
    ) -> Rows:
        """As ``Pool.query``, inside the transaction."""
        return Rows(*self._begun().query(sql, params, timeout, max_rows))

    def query_json(
        self,
        sql: str,
        params: Params | None = None,
        *,
        rows: RowShape = "objects",
        numbers: Numbers = "exact",
        timeout: float | None = None,
        max_rows: int | None = None,
    ) -> bytes:
        """As ``Pool.query_json``, inside the transaction."""
        return self._begun().query_json(sql, params, timeout, max_rows, rows, numbers)

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
        max_rows: int | None = None,
    ) -> JsonStream:
        """As ``Pool.stream_json``, inside the transaction. It must be read to its end or closed
        before the transaction is asked for anything else."""
        return JsonStream(
            self._begun().stream_json(
                sql, params, timeout, max_rows, rows, numbers, framing, chunk_size
            )
        )

    def commit(self) -> None:
        """Commits before the end of the block; nothing can follow."""
        self._begun().commit()

    def rollback(self) -> None:
        """Rolls back before the end of the block; nothing can follow."""
        self._begun().rollback()

    def __enter__(self) -> Self:
        if self._core is not None:
            message = "a transaction is for one with block; ask the pool for another"
            raise RuntimeError(message)
        self._core = self._begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        core = self._begun()
        if core.ended:
            return
        if error is None:
            core.commit()
            return
        # The exception that ends the block says what went wrong. A transaction that could not be
        # rolled back has lost its connection, which has the same effect.
        with suppress(Error, RuntimeError):
            core.rollback()

    def _begun(self) -> _core.Transaction:
        if self._core is None:
            message = "the transaction has not begun; use it in a with statement"
            raise RuntimeError(message)
        return self._core
