"""One row of a table as JSON: what a user of FastAPI and asyncpg would write."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import orjson
from fastapi import FastAPI, HTTPException, Response

# Of each of the 2 workers; the best of 4, 8, 16 and 32 in all, with 1 worker or 2.
CONNECTIONS = 8
SQL = "select aid, bid, abalance, filler from pgbench_accounts where aid = $1"


async def keep(_: object) -> None:
    """No request changes its session; asyncpg's own reset would cost each a round trip."""


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    url = os.environ["DATABASE_URL"]
    async with asyncpg.create_pool(
        url, min_size=CONNECTIONS, max_size=CONNECTIONS, reset=keep
    ) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/accounts/{aid}")
async def account(aid: int) -> Response:
    row = await app.state.pool.fetchrow(SQL, aid)
    if row is None:
        raise HTTPException(404)
    # At least as fast as a model or JSONResponse: it is sent as it is.
    return Response(orjson.dumps(dict(row)), media_type="application/json")
