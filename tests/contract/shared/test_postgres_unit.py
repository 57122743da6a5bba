"""The SQLAlchemy unit of work on real PostgreSQL, when the connection breaks under it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from adapters.shared.postgres import PostgresUnit
from adapters.shared.request_ledger import PostgresRequestLedger
from domain.shared.errors import Unavailable
from tests.contract.shared.test_asyncpg_unit import terminate


@pytest_asyncio.fixture
async def engine(postgres) -> AsyncIterator[AsyncEngine]:
    dsn = postgres.dsn("paideia_catalog").replace("postgresql://", "postgresql+asyncpg://")
    engine = create_async_engine(dsn, pool_size=1, max_overflow=0, pool_timeout=5)
    yield engine
    await engine.dispose()


async def breaking(postgres, unit: PostgresUnit) -> None:
    await terminate(postgres, (await unit.connection.execute(text("SELECT pg_backend_pid()"))).scalar_one())


@pytest.mark.parametrize("statement", ["SELECT 1", None])
async def test_a_connection_that_breaks_is_unavailable_and_the_next_unit_gets_a_sound_one(
    postgres, engine: AsyncEngine, statement: str | None
) -> None:
    with pytest.raises(Unavailable):
        async with PostgresUnit(engine, "north") as unit:
            await breaking(postgres, unit)
            if statement:
                await unit.connection.execute(text(statement))
            await unit.commit()
    async with PostgresUnit(engine, "north") as unit:
        found = await unit.connection.execute(text("SELECT current_setting('paideia.organization')"))
        assert found.scalar_one() == "north"


async def test_a_connection_that_breaks_inside_an_idempotent_request_is_unavailable(postgres, engine: AsyncEngine) -> None:
    ledger = PostgresRequestLedger(engine)
    request = "8f14e45f-ceea-467f-a8c5-8a3f6b1d2c3e"
    with pytest.raises(Unavailable):
        async with ledger.entry("north", "/m", request, b"body") as entry:
            async with PostgresUnit(engine, "north") as unit:
                await breaking(postgres, unit)
                await unit.connection.execute(text("SELECT 1"))
            await entry.remember(b"answer")
    async with ledger.entry("north", "/m", request, b"body") as entry:
        assert entry.answer is None
