from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from adapters.inference.memory import MemoryInferenceStore
from adapters.inference.postgres import PostgresInferenceUnit
from domain.inference.ports import NewInferenceUnit


@pytest.fixture(params=["memory", "postgres"])
async def new_unit(request: pytest.FixtureRequest) -> AsyncIterator[NewInferenceUnit]:
    if request.param == "memory":
        yield MemoryInferenceStore().unit
        return
    dsn = request.getfixturevalue("postgres").dsn("paideia_inference")
    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://", 1), pool_size=8)
    yield lambda organization: PostgresInferenceUnit(engine, organization)
    await engine.dispose()


@pytest.fixture
def north() -> str:
    """An organization of the test's own, so that tests may share a database."""
    return f"north-{uuid4()}"
