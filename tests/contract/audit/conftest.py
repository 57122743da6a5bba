"""The audit log over memory and over PostgreSQL."""

from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from adapters.audit.memory import MemoryAuditStore
from adapters.audit.postgres import PostgresAuditUnit
from domain.audit.ports import AuditUnit

NewUnit = Callable[[str], AuditUnit]


@pytest.fixture(params=["memory", "postgres"])
def store(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
async def engine(store: str, request: pytest.FixtureRequest) -> AsyncIterator[AsyncEngine | None]:
    if store == "memory":
        yield None
        return
    dsn = request.getfixturevalue("postgres").dsn("paideia_audit")
    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://", 1), pool_size=8)
    yield engine
    await engine.dispose()


@pytest.fixture
def new_unit(engine: AsyncEngine | None) -> NewUnit:
    return MemoryAuditStore().unit if engine is None else lambda organization: PostgresAuditUnit(engine, organization)


@pytest.fixture
def north() -> str:
    """An organization without a past: chains cannot be emptied."""
    return f"north-{uuid4().hex[:12]}"
