"""Brokers, events, and a broker that can be killed."""

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.shared.consumer import ConsumerRuntime
from adapters.shared.kafka import KafkaProducer
from domain.shared.errors import Unavailable
from domain.shared.events import EventEnvelope
from stack.launch import launch
from stack.part import Health
from stack.parts.broker import Broker
from tests.stores import S3, free_port


@pytest.fixture
def topic() -> str:
    """A topic that no other test uses."""
    return f"test.{uuid4().hex[:8]}"


@pytest.fixture
def envelope(topic: str) -> Callable[..., EventEnvelope]:
    def make(learner: str = "ada", payload: bytes = b"payload", traceparent: str = "") -> EventEnvelope:
        return EventEnvelope(
            id=str(uuid4()),
            type="paideia.ingestion.v1.LearningEvent",
            topic=topic,
            organization="north",
            key=f"learners/{learner}",
            occurred_at=datetime(2026, 9, 1, 8, 0, 0, 250_000, tzinfo=UTC),
            payload=payload,
            traceparent=traceparent,
        )

    return make


@pytest.fixture
async def producer(kafka_bootstrap: str) -> AsyncIterator[KafkaProducer]:
    producer = KafkaProducer(kafka_bootstrap)
    yield producer
    await producer.close()


@asynccontextmanager
async def consuming(runtime: ConsumerRuntime) -> AsyncIterator[None]:
    """Runs a consumer from its joining to the end of the block."""
    job = asyncio.create_task(runtime.run())
    try:
        await until(lambda: is_ready(runtime))
        yield
    finally:
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)


async def is_ready(runtime: ConsumerRuntime) -> bool:
    try:
        await runtime.ready()
    except Unavailable:
        return False
    return True


async def until(holds: Callable[[], object], seconds: float = 60) -> None:
    """Waits until a condition holds, which may be a coroutine function's answer."""
    async with asyncio.timeout(seconds):
        while True:
            answer = holds()
            if asyncio.iscoroutine(answer):
                answer = await answer
            if answer:
                return
            await asyncio.sleep(0.02)


class MortalBroker:
    """A broker on durable storage, to be killed and started again at the same address."""

    def __init__(self, s3: S3, log: Path) -> None:
        credentials = {
            "AWS_ENDPOINT": s3.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_DEFAULT_REGION": s3.region,
            "AWS_ACCESS_KEY_ID": s3.access_key,
            "AWS_SECRET_ACCESS_KEY": s3.secret_key,
        }
        self.part = Broker(free_port(), f"s3://{s3.bucket}/", credentials)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def _spawn(self) -> None:
        with self._log.open("ab") as output:
            start = launch(self.part.command(), signal.SIGTERM)
            self._process = subprocess.Popen(**start, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)

    async def start(self) -> None:
        self._spawn()

        async def answers() -> bool:
            return await self.part.probe() is Health.READY

        await until(answers)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture
def mortal_broker(s3: S3, tmp_path: Path) -> Iterator[MortalBroker]:
    broker = MortalBroker(s3, tmp_path / "broker.log")
    yield broker
    broker.kill()
