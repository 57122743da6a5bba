"""The stores of reports."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from adapters.analytics.memory import MemoryAnalytics
from tests.contract.analytics.report_stores import Store, engine_of, postgres_store


@pytest.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        memory = MemoryAnalytics()
        yield Store(memory.unit, memory)
        return
    engine = engine_of(request.getfixturevalue("postgres").dsn("paideia_analytics"))
    yield postgres_store(engine)
    await engine.dispose()


@pytest.fixture
def north() -> str:
    """An organization of the test's own, so that tests may share a database."""
    return f"north-{uuid4()}"
