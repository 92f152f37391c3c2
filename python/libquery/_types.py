"""The types that signatures name."""

from collections.abc import Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any, Literal, TypeAlias
from uuid import UUID

Value: TypeAlias = (
    bool
    | int
    | float
    | Decimal
    | str
    | bytes
    | bytearray
    | memoryview
    | date
    | time
    | timedelta
    | UUID
    | list[Any]
    | tuple[Any, ...]
    | dict[str, Any]
    | None
)
"""What a parameter may be; a datetime is a date."""

Params: TypeAlias = Sequence[Value]
"""A list or a tuple of values."""

Statement: TypeAlias = str | tuple[str, Params | None]
"""One statement of a batch."""

Isolation: TypeAlias = Literal["read committed", "repeatable read", "serializable"]
RowShape: TypeAlias = Literal["objects", "arrays"]
Numbers: TypeAlias = Literal["exact", "string"]
Framing: TypeAlias = Literal["document", "lines", "csv"]
