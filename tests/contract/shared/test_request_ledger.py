"""The request ledger on real PostgreSQL: state, event and answer are one transaction, whatever happens at the same time."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from adapters.shared.outbox import add_to_outbox
from adapters.shared.postgres import PostgresUnit
from adapters.shared.request_ledger import PostgresRequestLedger
from domain.shared.clock import system_clock
from domain.shared.errors import RequestIdReused
from domain.shared.events import EventEnvelope


@pytest_asyncio.fixture
async def engine(postgres) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(postgres.dsn("paideia_catalog").replace("postgresql://", "postgresql+asyncpg://"))
    yield engine
    await engine.dispose()


async def act(engine: AsyncEngine, organization: str, event_id: str) -> None:
    """Any change of state with its event: here the event is the state."""
    async with PostgresUnit(engine, organization) as unit:
        await add_to_outbox(
            unit.connection,
            [EventEnvelope(event_id, "t", "test", organization, f"courses/{event_id}", system_clock(), b"payload")],
        )
        await unit.commit()


async def events(engine: AsyncEngine, organization: str, event_id: str) -> int:
    async with PostgresUnit(engine, organization) as unit:
        found = await unit.connection.execute(text("SELECT count(*) FROM outbox WHERE event_id = :id"), {"id": event_id})
        return int(found.scalar_one())


async def test_the_first_request_acts_and_a_repeat_gets_its_answer(engine: AsyncEngine) -> None:
    ledger = PostgresRequestLedger(engine)
    request = str(uuid4())
    async with ledger.entry("north", "/m", request, b"body") as entry:
        assert entry.answer is None
        await act(engine, "north", request)
        await entry.remember(b"answer")
    async with ledger.entry("north", "/m", request, b"body") as entry:
        assert entry.answer == b"answer"
    assert await events(engine, "north", request) == 1


async def test_without_a_remembered_answer_nothing_happened(engine: AsyncEngine) -> None:
    ledger = PostgresRequestLedger(engine)
    request = str(uuid4())
    with pytest.raises(ZeroDivisionError):
        async with ledger.entry("north", "/m", request, b"body"):
            await act(engine, "north", request)
            raise ZeroDivisionError
    assert await events(engine, "north", request) == 0
    async with ledger.entry("north", "/m", request, b"body") as entry:
        assert entry.answer is None


@pytest.mark.parametrize(("method", "body"), [("/other", b"body"), ("/m", b"other")])
async def test_another_request_under_the_same_id_is_refused(engine: AsyncEngine, method: str, body: bytes) -> None:
    ledger = PostgresRequestLedger(engine)
    request = str(uuid4())
    async with ledger.entry("north", "/m", request, b"body") as entry:
        await entry.remember(b"answer")
    with pytest.raises(RequestIdReused):
        async with ledger.entry("north", method, request, body):
            pass


async def test_of_many_at_the_same_time_one_acts_and_all_get_its_answer(engine: AsyncEngine) -> None:
    ledger = PostgresRequestLedger(engine)
    request = str(uuid4())

    async def worker(number: int) -> bytes:
        async with ledger.entry("north", "/m", request, b"body") as entry:
            if entry.answer is not None:
                return entry.answer
            await act(engine, "north", request)
            answer = f"answer of {number}".encode()
            await entry.remember(answer)
            return answer

    answers = await asyncio.gather(*(worker(number) for number in range(12)))
    assert len(set(answers)) == 1
    assert await events(engine, "north", request) == 1


async def test_organizations_do_not_share_request_ids_or_rows(engine: AsyncEngine) -> None:
    ledger = PostgresRequestLedger(engine)
    request = str(uuid4())
    for organization in ("north", "south"):
        async with ledger.entry(organization, "/m", request, b"body") as entry:
            assert entry.answer is None
            await act(engine, organization, request)
            await entry.remember(b"answer")
        assert await events(engine, organization, request) == 1
