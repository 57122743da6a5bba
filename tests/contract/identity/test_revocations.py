"""Ended sessions reach every process's verifier through a real broker."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import pytest
from paideia.identity.v1 import events_pb2

from adapters.shared.kafka import KafkaProducer
from adapters.shared.topics import ensure_topics
from domain.shared.clock import system_clock
from domain.shared.events import EventEnvelope
from services.host.revocations import TOPIC, listening
from services.shared.revocations import RevokedSessions
from services.shared.times import timestamp

Publish = Callable[[bytes, str], Awaitable[None]]
REVOKED = events_pb2.SessionRevoked.DESCRIPTOR.full_name


@pytest.fixture
async def publish(kafka_bootstrap: str) -> AsyncIterator[Publish]:
    await ensure_topics(kafka_bootstrap, (TOPIC,))
    producer = KafkaProducer(kafka_bootstrap)

    async def send(value: bytes, type_: str = REVOKED) -> None:
        event = EventEnvelope(str(uuid4()), type_, TOPIC, "north", f"users/{uuid4()}", system_clock(), value)
        await producer.send([event])

    yield send
    await producer.close()


def revocation(session: str, minutes_ago: float = 0.0) -> bytes:
    at = timestamp(system_clock() - timedelta(minutes=minutes_ago))
    return events_pb2.SessionRevoked(user="users/ada", revoke_time=at, session=f"sessions/{session}").SerializeToString()


@asynccontextmanager
async def process(bootstrap: str) -> AsyncIterator[RevokedSessions]:
    revoked = RevokedSessions(system_clock)
    job = asyncio.create_task(listening(bootstrap, revoked, system_clock)())
    yield revoked
    job.cancel()
    await asyncio.gather(job, return_exceptions=True)


async def heard(revoked: RevokedSessions, session: str) -> None:
    async with asyncio.timeout(30):
        while session not in revoked:
            await asyncio.sleep(0.02)


async def test_every_process_hears_of_every_ended_session_also_of_those_before_it_started(
    kafka_bootstrap: str, publish: Publish
) -> None:
    before, old, after = (str(uuid4()) for _ in range(3))
    await publish(revocation(before), REVOKED)
    await publish(revocation(old, minutes_ago=11), REVOKED)
    async with process(kafka_bootstrap) as first, process(kafka_bootstrap) as second:
        for each in (first, second):
            await heard(each, before)
        await publish(b"\xff nonsense", REVOKED)
        await publish(b"anything", "paideia.identity.v1.FromALaterRelease")
        await publish(revocation(after), REVOKED)
        for each in (first, second):
            await heard(each, after)
            assert old not in each
