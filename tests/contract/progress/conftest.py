"""The stores that the suite of progress runs against, each test with organizations of its own."""

from collections.abc import AsyncIterator
from functools import partial
from uuid import uuid4

import asyncpg
import pytest

from adapters.progress.memory import MemoryProgress
from adapters.progress.postgres import PostgresProgressUnit
from domain.progress.ports import NewUnit


async def _no_reset(connection: asyncpg.Connection) -> None:
    return None


@pytest.fixture
def organization() -> str:
    return f"north-{uuid4().hex[:12]}"


@pytest.fixture
async def pool(request: pytest.FixtureRequest) -> AsyncIterator[asyncpg.Pool]:
    dsn = request.getfixturevalue("postgres").dsn("paideia_progress")
    async with asyncpg.create_pool(dsn, min_size=0, max_size=12, reset=_no_reset) as pool:
        yield pool


@pytest.fixture(params=["memory", "postgres"])
def new_unit(request: pytest.FixtureRequest) -> NewUnit:
    if request.param == "memory":
        return MemoryProgress().unit
    return partial(PostgresProgressUnit, request.getfixturevalue("pool"), set())
