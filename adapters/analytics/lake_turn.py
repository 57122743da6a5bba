"""Lets one process write the lake at a time: a lock of PostgreSQL that goes with its connection. It saves work; rows are right without it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.shared.postgres import translated

_LAKE = 7205759403792801
_TRY = text(f"SELECT pg_try_advisory_lock({_LAKE})")
_RELEASE = text(f"SELECT pg_advisory_unlock({_LAKE})")
_SECONDS = 5.0


@asynccontextmanager
async def turn_at_the_lake(engine: AsyncEngine) -> AsyncIterator[None]:
    """Waits for the turn. Raises Unavailable when the database is away.

    A connection that is lost while the turn lasts lets another process begin: the catalog's compare-and-swap then lets one of them write.
    """
    try:
        async with engine.connect() as connection:
            while not (await connection.execute(_TRY)).scalar_one():
                await connection.rollback()
                await asyncio.sleep(_SECONDS)
            # The lock is the session's: an open transaction would be ended as idle.
            await connection.rollback()
            try:
                yield
            finally:
                await connection.execute(_RELEASE)
                await connection.rollback()
    except (DBAPIError, PoolTimeout) as error:
        raise translated(error) from error
