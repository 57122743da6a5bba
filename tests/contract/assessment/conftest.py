"""One suite for the memory and for PostgreSQL; every test has organizations of its own."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from uuid import uuid4

import asyncpg
import pytest
from paideia.ingestion.v1 import events_pb2

from adapters.assessment.kafka import learning_event
from adapters.assessment.memory import MemoryHeldItems, MemoryHintUnit, MemoryResponses, MemoryTables
from adapters.assessment.postgres import PostgresHeldItems, PostgresHintUnit, PostgresResponses
from adapters.assessment.testing_memory import MemorySittingUnit, SittingTables
from adapters.assessment.testing_postgres import PostgresSittingUnit
from domain.assessment.ports import HeldItems, HintUnit, Responses, SittingUnit
from tests.unit.assessment.fakes import FakeListener
from tests.unit.assessment.sittings import Examination


@dataclass
class Store:
    """What the suite needs of either store."""

    responses: Responses
    new_unit: Callable[[str], HintUnit]
    held: HeldItems
    attempts: Callable[[str], Awaitable[list[events_pb2.LearningEvent]]]
    """The attempts that an organization's responses have published, in order."""
    another: Callable[[], Responses]
    """As another process would have it."""
    new_sitting: Callable[[str], SittingUnit]
    north: str = field(default_factory=lambda: f"n{uuid4().hex}")
    south: str = field(default_factory=lambda: f"s{uuid4().hex}")


@pytest.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        tables = MemoryTables()
        sittings = SittingTables(tables)

        async def remembered(organization: str) -> list[events_pb2.LearningEvent]:
            return [learning_event(response, skills) for owner, response, skills in tables.attempts if owner == organization]

        yield Store(
            MemoryResponses(tables),
            lambda organization: MemoryHintUnit(tables, organization),
            MemoryHeldItems(tables),
            remembered,
            lambda: MemoryResponses(tables),
            lambda organization: MemorySittingUnit(sittings, organization),
        )
        return
    postgres = request.getfixturevalue("postgres")
    pool = await asyncpg.create_pool(postgres.dsn("paideia_assessment"), min_size=0, max_size=8)

    async def published(organization: str) -> list[events_pb2.LearningEvent]:
        connection = await asyncpg.connect(postgres.superuser_dsn)
        try:
            rows = await connection.fetch(
                "SELECT payload FROM assessment.outbox WHERE organization_id = $1 ORDER BY position", organization
            )
        finally:
            await connection.close()
        return [events_pb2.LearningEvent.FromString(row["payload"]) for row in rows]

    yield Store(
        PostgresResponses(pool),
        lambda organization: PostgresHintUnit(pool, organization),
        PostgresHeldItems(pool),
        published,
        lambda: PostgresResponses(pool),
        lambda organization: PostgresSittingUnit(pool, organization),
    )
    await pool.close()


@pytest.fixture
def exam(store: Store) -> Examination:
    """Tests over either store; the course `exam` of north has 30 items."""
    examination = Examination(store.new_sitting, store.held, FakeListener())
    examination.publish(store.north)
    return examination
