"""Send SQL to PostgreSQL, get Python values or JSON.

>>> import libquery
>>> with libquery.Pool("postgresql:///app") as pool:
...     rows = pool.query("select id, name from film where id = $1", [7])
...     body = pool.query_json("select * from film")
"""

from libquery._core import __version__
from libquery._errors import Busy, ConnectionError, Error, SqlError, Timeout
from libquery._pool import Pool, PoolStats
from libquery._rows import Column, Rows
from libquery._stream import JsonStream
from libquery._transaction import Transaction
from libquery._types import Params, Statement, Value

__all__ = [
    "Busy",
    "Column",
    "ConnectionError",
    "Error",
    "JsonStream",
    "Params",
    "Pool",
    "PoolStats",
    "Rows",
    "SqlError",
    "Statement",
    "Timeout",
    "Transaction",
    "Value",
    "__version__",
]

# Tracebacks and pickles name the classes where users find them.
for _public in (
    Busy, Column, ConnectionError, Error, JsonStream, Pool, PoolStats, Rows, SqlError, Timeout,
    Transaction,
):  # fmt: skip
    _public.__module__ = __name__
del _public
