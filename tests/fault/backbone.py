"""The way of an event, from its acknowledgement to what others make of it, over a network and stores that can be broken.

    clients → ingestion → broker (S3) → progress's consumer → PostgreSQL → progress's relay → broker → a listener

The adapters and use cases are those that run in production, in one process; stores are processes of their own behind proxies.
"""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

import asyncpg
from paideia.ingestion.v1.events_pb2 import LearningEvent
from paideia.progress.v1.events_pb2 import ProgressUpdated

import migrations
from adapters.ingestion.kafka import KafkaEventLog
from adapters.progress.postgres import PostgresProgressUnit
from adapters.shared.consumer import ConsumerRuntime, Message
from adapters.shared.kafka import KafkaProducer
from adapters.shared.outbox import OutboxRelay
from adapters.shared.topics import ensure_topics
from domain.ingestion.use_cases.ingest_events import IngestEvents
from domain.progress.use_cases.record_attempts import RecordAttempts
from domain.shared.caller import Caller, Role
from domain.shared.clock import system_clock
from domain.shared.errors import Unavailable
from services.progress.consumers import TOPICS, CountAttempts
from stack.part import Command
from stack.parts.broker import Broker
from stack.parts.objects import Objects
from stack.parts.postgres import Postgres
from tests.fault.network import Proxy
from tests.fault.processes import Store
from tests.stores import apart, free_port

ORGANIZATION = "north"
_TEACHER = Caller(ORGANIZATION, "tom", frozenset({Role.TEACHER}))
_LEARNERS = 40


class ProxiedBroker(Broker):
    """A broker that tells its clients to come through the proxy."""

    proxy_port = 0

    def command(self) -> Command:
        command = super().command()
        argv = list(command.argv)
        argv[argv.index("--advertised-listener-url") + 1] = f"tcp://127.0.0.1:{self.proxy_port}"
        return Command(tuple(argv), command.environment, command.account)


@dataclass
class Stores:
    """The three stores and the two broken networks."""

    objects: Store
    broker: Store
    postgres: Store
    to_broker: Proxy
    to_postgres: Proxy
    passwords: dict[str, str]

    def dsn(self, role: str, through_proxy: bool = True) -> str:
        part = self.postgres.part
        assert isinstance(part, Postgres)
        dsn = part.dsn(role, self.passwords[role])
        return dsn.replace(f":{part.port}/", f":{self.to_postgres.port}/") if through_proxy else dsn


def start_stores(stack: ExitStack, folder: Path) -> Stores:
    """Starts them in a folder, the database migrated; the stack stops them."""
    folder.chmod(0o755)
    bucket = Objects(folder / "objects", free_port(), "fault", "fault-secret", buckets=("events",))
    broker = ProxiedBroker.on(bucket, free_port())
    database = Postgres(folder / "postgres", free_port(), "superuser", "owner", durable=True)
    to_broker, to_postgres = Proxy(broker.port), Proxy(database.port)
    broker.proxy_port = to_broker.port
    stores = []
    for name, part in (("objects", bucket), ("broker", broker), ("postgres", database)):
        store = Store(part, folder / f"{name}.log")
        stack.callback(store.stop)
        store.start()
        stores.append(store)
    passwords: dict[str, str] = {}
    apart(migrations.upgrade(database.owner_dsn, lambda role: passwords.setdefault(role, secrets.token_urlsafe(16))))
    return Stores(*stores, stack.enter_context(to_broker), stack.enter_context(to_postgres), passwords)


@dataclass
class Account:
    """What was acknowledged, and what the end of the line makes of it."""

    acknowledged: set[str] = field(default_factory=set)
    refusals: int = 0
    heard: set[str] = field(default_factory=set)
    out_of_order: int = 0
    newest: dict[str, int] = field(default_factory=dict)

    async def hear(self, batch: Sequence[Message]) -> None:
        """Takes progress's updates: each learner's are numbered from 1, and come in that order; repeats may come behind."""
        for message in batch:
            update = ProgressUpdated.FromString(message.value)
            before = self.newest.get(update.learner, 0)
            self.heard.add(update.attempt.rpartition("/")[2])
            if update.sequence > before + 1:
                self.out_of_order += 1
            self.newest[update.learner] = max(before, update.sequence)


@dataclass
class Backbone:
    stores: Stores
    account: Account

    async def counts(self) -> dict[str, int]:
        """Looks past the proxies: attempts that were counted, in the learners' states and one by one, and rows of the outbox."""
        part = self.stores.postgres.part
        assert isinstance(part, Postgres)
        connection = await asyncpg.connect(part.superuser_dsn, timeout=5, command_timeout=10)
        try:
            ids = await connection.fetch("SELECT id::text AS id FROM progress.attempts")
            total = await connection.fetchval("SELECT coalesce(sum(attempt_count), 0)::bigint FROM progress.learners")
            waiting = await connection.fetchval("SELECT count(*) FROM progress.outbox")
        finally:
            await connection.close()
        found = Counter(row["id"] for row in ids)
        acknowledged = self.account.acknowledged
        return {
            "acknowledged": len(acknowledged),
            "counted": sum(found.values()),
            "lost": len(acknowledged - found.keys()),
            "double": sum(found.values()) - len(found) + abs(total - len(found)),
            "unpublished": len(found.keys() - self.account.heard) + waiting,
            "out_of_order": self.account.out_of_order,
        }

    async def recovery(self, patience: float = 90.0) -> float:
        """Returns the seconds until all that is acknowledged by now was heard of, and more was acknowledged. Raises TimeoutError."""
        began, before = time.monotonic(), set(self.account.acknowledged)
        async with asyncio.timeout(patience):
            while not (before < self.account.acknowledged and before <= self.account.heard):
                await asyncio.sleep(0.05)
        return time.monotonic() - began

    async def drain(self, patience: float = 90.0) -> None:
        """Waits, when nothing is sent any more, until the end of the line has heard of everything. Raises TimeoutError."""
        async with asyncio.timeout(patience):
            while not self.account.acknowledged <= self.account.heard or (await self.counts())["unpublished"]:
                await asyncio.sleep(0.1)


@asynccontextmanager
async def running_backbone(stores: Stores, clients: int = 3, batch: int = 20) -> AsyncIterator[Backbone]:
    """Runs everything, with clients that send and repeat what was not acknowledged; at the end they stop, and the rest drains."""
    bootstrap = f"127.0.0.1:{stores.to_broker.port}"
    await ensure_topics(bootstrap)
    account, stopping = Account(), asyncio.Event()
    producer = KafkaProducer(bootstrap, delivery_timeout=timedelta(seconds=5))
    ingest = IngestEvents(KafkaEventLog(producer), system_clock)
    async with asyncpg.create_pool(stores.dsn("paideia_progress"), min_size=0, max_size=6, timeout=5, command_timeout=5) as pool:
        record = RecordAttempts(partial(PostgresProgressUnit, pool, set()), system_clock)
        jobs = [
            ConsumerRuntime(bootstrap, "progress", TOPICS, CountAttempts(record), producer).run,
            ConsumerRuntime(bootstrap, "listener", ["progress.updates"], account.hear, producer).run,
            # Two, as in two processes: when the publisher's connection dies the other takes over.
            *(OutboxRelay(stores.dsn("paideia_relay"), "progress", producer).run for _ in range(2)),
        ]
        running = [asyncio.create_task(job()) for job in jobs]
        sending = [asyncio.create_task(_send(ingest, account, stopping, batch)) for _ in range(clients)]
        backbone = Backbone(stores, account)
        try:
            yield backbone
            stopping.set()
            await asyncio.gather(*sending)
            await backbone.drain()
        finally:
            for task in (*running, *sending):
                task.cancel()
            await asyncio.gather(*running, *sending, return_exceptions=True)
            await producer.close()
            pool.terminate()


async def _send(ingest: IngestEvents[LearningEvent], account: Account, stopping: asyncio.Event, size: int) -> None:
    number = 0
    while not stopping.is_set():
        number += 1
        batch = [_attempt(number * size + each) for each in range(size)]
        while True:
            try:
                receipt = await ingest(_TEACHER, batch)
            except Unavailable as error:
                account.refusals += 1
                await asyncio.sleep(error.retry_after.total_seconds())
                continue
            assert receipt.accepted == size, receipt.refused
            account.acknowledged.update(each.id for each in batch)
            break
        await asyncio.sleep(0.05)


def _attempt(number: int) -> LearningEvent:
    event = LearningEvent(id=str(uuid4()), learner=f"learners/l{number % _LEARNERS}", course="courses/fractions")
    event.occur_time.FromDatetime(datetime.now(UTC))
    event.attempt.item = f"items/i{number % 60}"
    event.attempt.skills.append(f"skills/s{number % 7}")
    event.attempt.correct = number % 3 != 0
    return event
