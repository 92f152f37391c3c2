"""The exceptions; the fields are PostgreSQL's, see its manual, "Error and Notice Message Fields"."""


class Error(Exception):
    """Everything that goes wrong outside of this program. A wrong argument is a TypeError or
    ValueError instead."""

    sqlstate: str | None = None
    """PostgreSQL's code of the error, e.g. ``"23505"``; None where PostgreSQL sent none."""

    retryable: bool = False
    """The same request may succeed when it is sent again, and nothing of it took effect."""

    connection_lost: bool = False
    """The connection is gone; the pool replaces it by itself."""

    outcome_unknown: bool = False
    """The connection broke, or the answer did not come, after the statement had been sent:
    nobody can know whether it took effect."""

    @property
    def message(self) -> str:
        """The error's text, the same as ``str(error)``."""
        return str(self)


class ConnectionError(Error):
    """Could not connect, or the connection was lost."""


class Busy(Error):
    """No connection became free within ``max_wait``, or too many callers wait already."""


class Timeout(Error):
    """The deadline passed; the statement was cancelled."""


class SqlError(Error):
    """PostgreSQL refused the statement. A field that it did not send is None."""

    severity: str | None = None
    detail: str | None = None
    hint: str | None = None
    position: int | None = None
    """The 1-based character of the statement at which the error lies."""
    internal_position: int | None = None
    internal_query: str | None = None
    context: str | None = None
    schema: str | None = None
    table: str | None = None
    column: str | None = None
    datatype: str | None = None
    constraint: str | None = None
    source_file: str | None = None
    source_line: str | None = None
    source_function: str | None = None
    statement: int | None = None
    """In a batch: the 0-based index of the statement that failed; None where COMMIT failed."""
