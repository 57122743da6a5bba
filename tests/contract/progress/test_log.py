"""From the real log into the real database: counted once, whichever way an attempt comes, and faults set aside."""

import asyncio
import contextlib
from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

import asyncpg
from confluent_kafka import Consumer
from paideia.ingestion.v1.events_pb2 import Attempt, LearningEvent

from adapters.progress.postgres import PostgresProgressUnit
from adapters.shared.consumer import ConsumerRuntime, Patience
from adapters.shared.kafka import KafkaProducer
from adapters.shared.topics import dead_letters_of, ensure_topics
from domain.progress.use_cases.record_attempts import RecordAttempts
from domain.shared.events import EventEnvelope
from domain.shared.page import PageRequest
from services.progress.consumers import CountAttempts
from services.progress.messages import answer_of

NOW = datetime(2026, 9, 1, 8, 30, tzinfo=UTC)


def event(learner: str) -> LearningEvent:
    told = LearningEvent(
        id=str(uuid4()), learner=f"learners/{learner}", attempt=Attempt(item="items/half", skills=["skills/add"], correct=True)
    )
    told.occur_time.FromDatetime(NOW)
    return told


def envelope(topic: str, organization: str, told: LearningEvent, payload: bytes | None = None) -> EventEnvelope:
    value = told.SerializeToString() if payload is None else payload
    return EventEnvelope(told.id, "paideia.ingestion.v1.LearningEvent", topic, organization, told.learner, NOW, value)


async def dead_letters(bootstrap: str, topic: str) -> list[bytes]:
    settings = {
        "bootstrap.servers": bootstrap,
        "group.id": uuid4().hex,
        "auto.offset.reset": "earliest",
        "session.timeout.ms": 6000,
    }
    consumer = Consumer(settings)
    consumer.subscribe([dead_letters_of(topic)])
    try:
        for _ in range(60):
            message = await asyncio.to_thread(consumer.poll, 0.5)
            if message is not None and message.error() is None:
                return [message.value() or b""]
    finally:
        await asyncio.to_thread(consumer.close)
    return []


async def test_the_log_counts_what_the_direct_path_did_not(pool: asyncpg.Pool, organization: str, kafka_bootstrap: str) -> None:
    topic = f"attempts.{uuid4().hex[:8]}"
    await ensure_topics(kafka_bootstrap, [topic])
    record = RecordAttempts(partial(PostgresProgressUnit, pool, set()), lambda: NOW)
    told = [event(f"learner-{place % 5}") for place in range(60)]
    await record(organization, [answer_of(each, "") for each in told[::3]])
    producer = KafkaProducer(kafka_bootstrap)
    envelopes = [envelope(topic, organization, each) for each in told]
    await producer.send([*envelopes[:30], envelope(topic, organization, event("eve"), b"\xff"), *envelopes[30:], *envelopes[::2]])
    patience = Patience(attempts=2)
    runtime = ConsumerRuntime(kafka_bootstrap, uuid4().hex, [topic], CountAttempts(record), producer, patience=patience)
    running = asyncio.create_task(runtime.run())
    try:
        assert await dead_letters(kafka_bootstrap, topic) == [b"\xff"]
        found = ()
        while len(found) < 60:
            async with PostgresProgressUnit(pool, set(), organization) as unit:
                found = (await unit.records.attempts(None, None, PageRequest(1000))).elements
            await asyncio.sleep(0.05)
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await producer.close()
    assert sorted(each.answer.id for each in found) == sorted(each.id for each in told)
