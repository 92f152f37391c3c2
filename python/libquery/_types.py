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

# Unions of one word each, which is the form that stubtest understands.
Isolation: TypeAlias = (
    Literal["read committed"] | Literal["repeatable read"] | Literal["serializable"]
)
RowShape: TypeAlias = Literal["objects"] | Literal["arrays"]
Numbers: TypeAlias = Literal["exact"] | Literal["string"]
Framing: TypeAlias = Literal["document"] | Literal["lines"] | Literal["csv"]
