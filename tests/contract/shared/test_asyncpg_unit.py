"""The raw unit of work on real PostgreSQL, when the connection breaks under it."""

import asyncio

import asyncpg
import pytest

from adapters.shared.asyncpg_unit import AsyncpgUnit
from domain.shared.errors import Unavailable


async def terminate(postgres, pid: int) -> None:
    connection = await asyncpg.connect(postgres.superuser_dsn)
    await connection.execute("SELECT pg_terminate_backend($1)", pid)
    await connection.close()


@pytest.mark.parametrize("statement", ["SELECT 1", None])
async def test_a_connection_that_breaks_is_unavailable_and_the_next_unit_gets_a_sound_one(
    postgres, statement: str | None
) -> None:
    async with asyncpg.create_pool(postgres.dsn("paideia_progress"), min_size=0, max_size=1) as pool:
        with pytest.raises(Unavailable):
            async with AsyncpgUnit(pool, "north") as unit:
                await terminate(postgres, await unit.connection.fetchval("SELECT pg_backend_pid()"))
                if statement:
                    await unit.connection.execute(statement)
                await unit.commit()
        async with AsyncpgUnit(pool, "north") as unit:
            assert await unit.connection.fetchval("SELECT current_setting('paideia.organization')") == "north"


async def test_a_unit_that_is_cancelled_wherever_it_stands_leaves_a_sound_connection(postgres) -> None:
    async with asyncpg.create_pool(postgres.dsn("paideia_progress"), min_size=0, max_size=1) as pool:

        async def work() -> None:
            async with AsyncpgUnit(pool, "north") as unit:
                await unit.connection.execute("CREATE TEMPORARY TABLE undone (n int)")
                await unit.connection.execute("SELECT pg_sleep(0.002)")

        await work()  # uncancelled it succeeds, so that what follows is about being cancelled
        for step in range(60):
            task = asyncio.create_task(work())
            await asyncio.sleep(step * 0.0002)
            task.cancel()
            await asyncio.sleep(0)
            task.cancel()  # once more, while it undoes what it had begun
            await asyncio.gather(task, return_exceptions=True)
            async with AsyncpgUnit(pool, "south") as unit:
                assert await unit.connection.fetchval("SELECT current_setting('paideia.organization')") == "south"
                assert await unit.connection.fetchval("SELECT to_regclass('pg_temp.undone')") is None
