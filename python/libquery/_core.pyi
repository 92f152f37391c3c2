# The compiled engine. Private: the package's own classes name, default and document the arguments.
from collections.abc import Sequence
from typing import Any, TypeAlias

__version__: str

_Answer: TypeAlias = tuple[
    list[tuple[str, str | None, int]], list[tuple[Any, ...]], str, int | None, bool
]
_Params: TypeAlias = Sequence[Any] | None

class Pool:
    def __init__(
        self,
        conninfo: str,
        max_size: int,
        max_waiting: int,
        max_wait: float,
        max_idle: float,
        max_lifetime: float,
        connect_timeout: float,
        statement_cache: int,
        reset_session: bool,
        /,
    ) -> None: ...
    def query(
        self,
        sql: str,
        params: _Params,
        timeout: float | None,
        read_only: bool,
        max_rows: int | None,
        /,
    ) -> _Answer: ...
    def query_json(
        self,
        sql: str,
        params: _Params,
        timeout: float | None,
        read_only: bool,
        max_rows: int | None,
        rows: str,
        numbers: str,
        /,
    ) -> bytes: ...
    def stream_json(
        self,
        sql: str,
        params: _Params,
        timeout: float | None,
        read_only: bool,
        max_rows: int | None,
        rows: str,
        numbers: str,
        framing: str,
        chunk_size: int,
        /,
    ) -> JsonStream: ...
    def batch(
        self,
        statements: Sequence[Any],
        isolation: str | None,
        read_only: bool,
        deferrable: bool,
        timeout: float | None,
        max_rows: int | None,
        /,
    ) -> list[_Answer]: ...
    def batch_json(
        self,
        statements: Sequence[Any],
        isolation: str | None,
        read_only: bool,
        deferrable: bool,
        timeout: float | None,
        max_rows: int | None,
        rows: str,
        numbers: str,
        /,
    ) -> bytes: ...
    def begin(
        self,
        isolation: str | None,
        read_only: bool,
        deferrable: bool,
        timeout: float | None,
        /,
    ) -> Transaction: ...
    def stats(self) -> dict[str, int]: ...
    def close(self) -> None: ...
    def close_idle(self) -> None: ...

class Transaction:  # made by Pool.begin
    def __init__(self, *args: object, **kwargs: object) -> None: ...
    def query(
        self, sql: str, params: _Params, timeout: float | None, max_rows: int | None, /
    ) -> _Answer: ...
    def query_json(
        self,
        sql: str,
        params: _Params,
        timeout: float | None,
        max_rows: int | None,
        rows: str,
        numbers: str,
        /,
    ) -> bytes: ...
    def stream_json(
        self,
        sql: str,
        params: _Params,
        timeout: float | None,
        max_rows: int | None,
        rows: str,
        numbers: str,
        framing: str,
        chunk_size: int,
        /,
    ) -> JsonStream: ...
    def commit(self) -> None: ...
    def rollback(self) -> None: ...
    @property
    def ended(self) -> bool: ...

class JsonStream:  # made by stream_json
    def __init__(self, *args: object, **kwargs: object) -> None: ...
    def __iter__(self) -> JsonStream: ...
    def __next__(self) -> bytes: ...
    def close(self) -> None: ...
    @property
    def row_count(self) -> int: ...
    @property
    def truncated(self) -> bool: ...
