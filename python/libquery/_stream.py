"""An answer as JSON while it arrives."""

from types import TracebackType
from typing import Self

from libquery import _core


class JsonStream:
    """An iterator of bytes. The end of the iteration proves that the answer is complete: an error
    on the way is raised.

    Closed early (``close()``, the end of a ``with`` block, or forgotten), it cancels the query. It
    keeps a connection of the pool until then. Not for two threads at a time.
    """

    __slots__ = ("_core",)

    def __init__(self, core: _core.JsonStream) -> None:
        self._core = core

    @property
    def row_count(self) -> int:
        """Rows written so far."""
        return self._core.row_count

    @property
    def truncated(self) -> bool:
        """``max_rows`` cut the answer."""
        return self._core.truncated

    def close(self) -> None:
        """Ends the stream now. May be called again."""
        self._core.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        return next(self._core)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
