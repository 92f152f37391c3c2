"""An answer in memory."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, overload


class Column(NamedTuple):
    """A column of an answer."""

    name: str
    type: str | None
    """The name of a built-in type (``"int4"``, ``"text[]"``), None for any other."""
    oid: int
    """The type's number in PostgreSQL's catalog pg_type."""


class Rows(Sequence[tuple[Any, ...]]):
    """The rows of an answer, a sequence of tuples, and what PostgreSQL said about them.

    Equal to any other Rows, list or tuple that holds the same rows.
    """

    __slots__ = ("_rows", "affected", "columns", "command", "truncated")

    columns: tuple[Column, ...]
    """Empty for a statement that returns no rows."""

    command: str
    """``"SELECT"``, ``"INSERT"``, ``"CREATE TABLE"`` ..."""

    affected: int | None
    """Rows returned or changed; None for a command that does not count."""

    truncated: bool
    """``max_rows`` cut the answer."""

    def __init__(
        self,
        columns: Sequence[tuple[str, str | None, int]],
        rows: list[tuple[Any, ...]],
        command: str,
        affected: int | None,
        truncated: bool,
    ) -> None:
        self.columns = tuple(map(Column._make, columns))
        self._rows = rows
        self.command = command
        self.affected = affected
        self.truncated = truncated

    def dicts(self) -> list[dict[str, Any]]:
        """The rows as dicts by column name. ValueError where two columns have the same name, for
        one would hide the other."""
        names = [column.name for column in self.columns]
        for name in names:
            if names.count(name) > 1:
                message = f"two columns are named {name!r}; rename one in the SQL with AS"
                raise ValueError(message)
        return [dict(zip(names, row, strict=True)) for row in self._rows]

    @overload
    def __getitem__(self, index: int) -> tuple[Any, ...]: ...
    @overload
    def __getitem__(self, index: slice) -> list[tuple[Any, ...]]: ...
    def __getitem__(self, index: int | slice) -> tuple[Any, ...] | list[tuple[Any, ...]]:
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self._rows)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Rows):
            return self._rows == other._rows
        if isinstance(other, list | tuple):
            return self._rows == list(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        names = ", ".join(column.name for column in self.columns)
        return f"<Rows {self.command} ({names}) x {len(self._rows)}>"
