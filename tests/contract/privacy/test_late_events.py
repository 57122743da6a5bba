"""Contexts as their processes build them: they erase a person whom the log tells of, and drop what the log brings of them afterwards."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from paideia.identity.v1.events_pb2 import PrivacyOrdered
from paideia.ingestion.v1.events_pb2 import Attempt, LearningEvent

from adapters.shared.grpc import Channels
from adapters.shared.kafka import KafkaProducer
from adapters.shared.resources import Resources, Settings
from adapters.shared.topics import ensure_topics
from domain.shared.clock import system_clock
from domain.shared.events import EventEnvelope
from tests.contract.privacy.conftest import PERSON, World
from tests.rpc.serving import MESH_KEY

CONTEXTS = ("progress", "scheduler", "paths", "analytics", "inference")


@asynccontextmanager
async def opened(context: str, postgres: Any, valkey_url: str, bootstrap: str, folder: Path) -> AsyncIterator[Any]:
    for name in (f"postgres_paideia_{context}", "postgres_paideia_relay"):
        (folder / name).write_text(postgres.password(name.removeprefix("postgres_")))
    for name in ("mesh_key", "lake_key", "s3_access_key", "s3_secret_key"):
        (folder / name).write_text(MESH_KEY.decode())
    dsn = f"postgresql://{{role}}@{postgres.dsn(f'paideia_{context}').rpartition('@')[2]}"
    targets = dict.fromkeys(("catalog", "progress", "assessment", "scheduler", "identity"), "127.0.0.1:1")
    settings = Settings(dsn, folder, valkey_url, bootstrap, targets, s3_endpoint="http://127.0.0.1:1")
    resources = Resources(settings, Channels(targets, MESH_KEY, context, system_clock))
    found = await import_module(f"services.{context}.container").open_context(resources)
    try:
        yield found
    finally:
        await found.close()
        await resources.close()


@pytest.mark.parametrize("context", CONTEXTS)
async def test_every_context_that_hears_of_people_is_built(
    context: str, postgres: Any, valkey_url: str, kafka_bootstrap: str, tmp_path: Path
) -> None:
    async with opened(context, postgres, valkey_url, kafka_bootstrap, tmp_path) as found:
        await found.ready()


def envelope(topic: str, organization: str, key: str, message: Message) -> EventEnvelope:
    now = datetime.now(UTC)
    return EventEnvelope(str(uuid4()), message.DESCRIPTOR.full_name, topic, organization, key, now, message.SerializeToString())


def attempt(organization: str, learner: str) -> EventEnvelope:
    told = LearningEvent(
        id=str(uuid4()), learner=f"learners/{learner}", attempt=Attempt(item="items/half", skills=["skills/add"], correct=True)
    )
    told.occur_time.GetCurrentTime()
    return envelope("user.attempts", organization, told.learner, told)


async def until(found: Any) -> Any:
    async with asyncio.timeout(60):
        while not (value := await found()):
            await asyncio.sleep(0.1)
    return value


async def test_an_attempt_that_comes_after_its_learners_erasure_leaves_nothing_but_a_count(
    world: World, postgres: Any, valkey_url: str, kafka_bootstrap: str, tmp_path: Path
) -> None:
    organization, producer = world.organization, KafkaProducer(kafka_bootstrap)
    await ensure_topics(kafka_bootstrap)
    async with AsyncExitStack() as stack:
        progress = await stack.enter_async_context(opened("progress", postgres, valkey_url, kafka_bootstrap, tmp_path))
        jobs = [asyncio.create_task(job()) for job in progress.jobs]
        order = PrivacyOrdered(
            privacy_job=f"privacyJobs/{uuid4()}", kind="ERASURE", user=f"users/{PERSON}", pseudonym="users/erased-1"
        )
        order.order_time.CopyFrom(Timestamp(seconds=int(datetime.now(UTC).timestamp())))
        try:
            await producer.send([envelope("privacy.orders", organization, order.privacy_job, order)])
            await until(lambda: world.rows("progress", "erased_people"))
            await producer.send([attempt(organization, PERSON), attempt(organization, PERSON), attempt(organization, "ada")])
            await until(lambda: world.rows("progress", "attempts"))

            async def all_dropped() -> bool:
                (row,) = await world.rows("progress", "erased_people")
                return int(row["dropped"]) >= 2

            await until(all_dropped)
            assert [row["learner_id"] for row in await world.rows("progress", "attempts")] == ["ada"]
            assert PERSON.encode() not in await world.everything("progress")
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            await producer.close()
