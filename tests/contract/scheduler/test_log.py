"""From the log through the real stores to the next decision."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import pytest
from dependency_injector import providers
from redis.asyncio import Redis

from adapters.scheduler.memory import MemoryPublications
from adapters.shared.consumer import ConsumerRuntime
from adapters.shared.kafka import KafkaProducer
from domain.scheduler.model import DecisionRequest
from domain.shared.caller import Caller, Role
from domain.shared.clock import system_clock
from domain.shared.errors import Unavailable
from domain.shared.events import EventEnvelope
from services.scheduler.consumers import PROGRESS_UPDATES
from services.scheduler.container import SchedulerContainer
from tests.rpc.scheduler.making import Message, updated
from tests.unit.scheduler.making import publication


def event(organization: str, payload: bytes) -> EventEnvelope:
    return EventEnvelope(
        id=str(uuid4()),
        type="paideia.progress.v1.ProgressUpdated",
        topic=PROGRESS_UPDATES,
        organization=organization,
        key="learners/ada",
        occurred_at=datetime.now(UTC),
        payload=payload,
    )


async def test_the_log_reaches_the_next_decision_past_a_message_that_is_none(
    pool: asyncpg.Pool, valkey_url: str, kafka_bootstrap: str, organization: str
) -> None:
    source = MemoryPublications()
    source.put(organization, publication())
    producer = KafkaProducer(kafka_bootstrap)
    redis = Redis.from_url(valkey_url)
    container = SchedulerContainer(
        pool=providers.Object(pool),
        redis=providers.Object(redis),
        source=providers.Object(source),
        clock=providers.Object(system_clock),
    )
    runtime = ConsumerRuntime(kafka_bootstrap, f"test-{organization}", [PROGRESS_UPDATES], container.progress_updates(), producer)
    consuming = asyncio.create_task(runtime.run())
    ada = Caller(organization, "ada", frozenset({Role.LEARNER}))
    servicer = container.servicer()
    try:
        whole = [event(organization, updated(n).SerializeToString()) for n in range(1, 41)]
        await producer.send([*whole[:20], event(organization, b"no update"), *whole[20:], *whole[:5]])
        async with asyncio.timeout(60):
            while True:
                decision = await servicer.next_items(ada, DecisionRequest(str(uuid4()), "ada", "sql", 1))
                if decision.learner_sequence == 40:
                    break
                await asyncio.sleep(0.05)
        async with container.unit(organization) as unit:
            state = (await unit.states.of(["ada"]))["ada"]
        assert (state.sequence, int(state.items["attempts"].sum())) == (40, 40)
        assert await servicer.get_decision(ada, decision.id) == decision
    finally:
        consuming.cancel()
        with suppress(asyncio.CancelledError):
            await consuming
        await producer.close()
        await redis.aclose()


async def test_without_a_cache_decisions_go_on_from_the_database(pool: asyncpg.Pool, organization: str) -> None:
    source = MemoryPublications()
    source.put(organization, publication())
    redis = Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=0.2)
    container = SchedulerContainer(
        pool=providers.Object(pool),
        redis=providers.Object(redis),
        source=providers.Object(source),
        clock=providers.Object(system_clock),
    )
    handle = container.progress_updates()
    await handle([Message(updated(1).SerializeToString(), organization)])
    ada = Caller(organization, "ada", frozenset({Role.LEARNER}))
    decision = await container.servicer().next_items(ada, DecisionRequest(str(uuid4()), "ada", "sql", 3))
    assert decision.learner_sequence == 1
    assert len(decision.choices) == 3
    await redis.aclose()


async def test_without_a_database_nothing_is_answered_that_could_be_lost(valkey_url: str, organization: str) -> None:
    source = MemoryPublications()
    source.put(organization, publication())
    async with Redis.from_url(valkey_url) as redis, asyncpg.create_pool("postgresql://x@127.0.0.1:1/x", min_size=0) as nowhere:
        container = SchedulerContainer(
            pool=providers.Object(nowhere),
            redis=providers.Object(redis),
            source=providers.Object(source),
            clock=providers.Object(system_clock),
        )
        ada = Caller(organization, "ada", frozenset({Role.LEARNER}))
        with pytest.raises(Unavailable):
            await container.servicer().next_items(ada, DecisionRequest(str(uuid4()), "ada", "sql", 1))
