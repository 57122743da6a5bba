"""The way of an event, from its acknowledgement to what others make of it, over a network and stores that can be broken.

    clients → ingestion → broker (S3) → progress's consumer → PostgreSQL → progress's relay → broker → a listener
                                      → the reports' consumer → PostgreSQL
                                      → the lake's writer → Iceberg (catalog in PostgreSQL, files on S3)

The adapters and use cases are those that run in production, in one process; stores are processes of their own, the broker and
PostgreSQL behind proxies. Clients hold back while much of what was acknowledged is still on its way: on a machine that is busy with
other things they would otherwise build a backlog that says more about the machine's speed than about any fault.
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
from uuid import UUID, uuid4

import asyncpg
from paideia.ingestion.v1.events_pb2 import LearningEvent
from paideia.ingestion.v1.ingestion_service_pb2 import IngestEventsRequest
from paideia.progress.v1.events_pb2 import ProgressUpdated
from sqlalchemy.ext.asyncio import AsyncEngine

import migrations
from adapters.analytics.iceberg import IcebergLake, IcebergTable, catalog_properties
from adapters.analytics.lake_secrets import PostgresPseudonyms
from adapters.analytics.lake_source import TopicFrom
from adapters.analytics.postgres import PostgresAnalyticsUnit
from adapters.ingestion.kafka import KafkaEventLog
from adapters.ingestion.kafka_entry import Entry
from adapters.ingestion.kafka_usual_shape import QuickExaminer
from adapters.progress.postgres import PostgresProgressUnit
from adapters.shared.consumer import ConsumerRuntime, Message
from adapters.shared.kafka import KafkaProducer
from adapters.shared.outbox import OutboxRelay
from adapters.shared.postgres_connections import open_engine, open_pool
from adapters.shared.resources import Settings
from adapters.shared.round_producer import RoundProducer
from adapters.shared.topics import ensure_topics
from domain.analytics.lake import QUARANTINE, TABLES
from domain.analytics.use_cases.record_facts import RecordFacts
from domain.ingestion.use_cases.ingest_events import IngestEvents
from domain.progress.use_cases.record_attempts import RecordAttempts
from domain.shared.caller import Caller, Role
from domain.shared.clock import system_clock
from domain.shared.errors import Unavailable
from services.analytics.consumers import LogFacts
from services.analytics.lake_writer import LakeWriter
from services.progress.consumers import TOPICS, CountAttempts
from stack.part import Command
from stack.parts.broker import Broker
from stack.parts.objects import Objects
from stack.parts.postgres import Postgres
from tests.fault.network import Proxy
from tests.fault.processes import Store
from tests.stores import apart, free_port

ORGANIZATION = "north"
ATTEMPTS = next(each for each in TABLES if each.topic == "user.attempts")
_TEACHER = Caller(ORGANIZATION, "tom", frozenset({Role.TEACHER}))
_LEARNERS = 40
_ON_ITS_WAY = 600
"""With so many events acknowledged and not heard of, clients hold back."""


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
    secrets: Path

    def lake(self, through_proxy: bool = True) -> IcebergLake:
        """The lake, whose catalog is in PostgreSQL, whose files are not behind a proxy."""
        bucket, database = self.objects.part, self.postgres.part
        assert isinstance(bucket, Objects)
        assert isinstance(database, Postgres)
        address = f"127.0.0.1:{self.to_postgres.port if through_proxy else database.port}"
        dsn = f"postgresql://{{role}}@{address}/paideia"
        settings = Settings(dsn, self.secrets, redis_url="", kafka_bootstrap="", s3_endpoint=bucket.address)
        return IcebergLake(catalog_properties(settings))

    def dsn(self, role: str, through_proxy: bool = True) -> str:
        part = self.postgres.part
        assert isinstance(part, Postgres)
        dsn = part.dsn(role, self.passwords[role])
        return dsn.replace(f":{part.port}/", f":{self.to_postgres.port}/") if through_proxy else dsn


def start_stores(stack: ExitStack, folder: Path) -> Stores:
    """Starts them in a folder, the database migrated; the stack stops them."""
    folder.chmod(0o755)
    bucket = Objects(folder / "objects", free_port(), "fault", "fault-secret", buckets=("events", "lake"))
    broker = ProxiedBroker.on(bucket, free_port())
    own = folder / "secrets"
    own.mkdir()
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
    (own / "postgres_paideia_analytics").write_text(passwords["paideia_analytics"])
    (own / "s3_access_key").write_text(bucket.access_key)
    (own / "s3_secret_key").write_text(bucket.secret_key)
    return Stores(*stores, stack.enter_context(to_broker), stack.enter_context(to_postgres), passwords, own)


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
    lake: IcebergLake
    """Seen past the proxies."""

    @property
    def _superuser_dsn(self) -> str:
        part = self.stores.postgres.part
        assert isinstance(part, Postgres)
        return part.superuser_dsn

    async def counts(self) -> dict[str, int]:
        """Looks past the proxies: attempts that were counted, in the learners' states and one by one, and rows of the outbox."""
        connection = await asyncpg.connect(self._superuser_dsn, timeout=5, command_timeout=10)
        try:
            ids = await connection.fetch("SELECT id::text AS id FROM progress.attempts")
            reported = {row[0] for row in await connection.fetch("SELECT id::text FROM analytics.attempts")}
            totals = await connection.fetchval("SELECT coalesce(sum(attempts), 0)::bigint FROM analytics.learner_days")
            total = await connection.fetchval("SELECT coalesce(sum(attempt_count), 0)::bigint FROM progress.learners")
            waiting = await connection.fetchval("SELECT count(*) FROM progress.outbox")
        finally:
            await connection.close()
        lake = Counter(await asyncio.to_thread(self._in_the_lake))
        found = Counter(row["id"] for row in ids)
        acknowledged = self.account.acknowledged
        return {
            "acknowledged": len(acknowledged),
            "counted": sum(found.values()),
            "lost": len(acknowledged - found.keys()),
            "double": sum(found.values()) - len(found) + abs(total - len(found)),
            "unpublished": len(found.keys() - self.account.heard) + waiting,
            "out_of_order": self.account.out_of_order,
            "lake_lost": len(acknowledged - lake.keys()),
            "lake_double": sum(lake.values()) - len(lake),
            "reports_lost": len(acknowledged - reported),
            "reports_double": abs(totals - len(reported)),
        }

    def _in_the_lake(self) -> list[str]:
        """The ids of all attempts in the lake, those that are there twice twice."""
        return [
            str(UUID(bytes=each) if isinstance(each, bytes) else each)
            for _, table in self.lake.tables([ATTEMPTS])
            for each in table.scan(selected_fields=("event_id",)).to_arrow()["event_id"].to_pylist()
        ]

    async def recovery(self, patience: float = 60.0) -> float:
        """Returns the seconds until all that is acknowledged by now is where it ends, and more was acknowledged.

        Raises TimeoutError, which says what is missing where.
        """
        began, before = time.monotonic(), set(self.account.acknowledged)
        while missing := await self._missing(before):
            if time.monotonic() > began + patience:
                raise TimeoutError(f"{patience:.0f} s after the fault: {missing}")
            await asyncio.sleep(0.2)
        return time.monotonic() - began

    async def _missing(self, wanted: set[str]) -> dict[str, int]:
        """Returns how many of these have not come to which end yet; those ends are left out that have them all.

        Of the lake only the number of rows is read: which they are is looked at when everything is over.
        """
        connection = await asyncpg.connect(self._superuser_dsn, timeout=5, command_timeout=10)
        try:
            counted, reported = [
                await connection.fetchval(
                    f"SELECT count(*) FROM unnest($1::uuid[]) AS wanted (id) WHERE NOT EXISTS (SELECT FROM {table} AS t WHERE t.id = wanted.id)",
                    list(wanted),
                )
                for table in ("progress.attempts", "analytics.attempts")
            ]
        finally:
            await connection.close()
        missing = {
            "acknowledged": int(wanted == self.account.acknowledged),
            "counted": counted,
            "heard": len(wanted - self.account.heard),
            "reports": reported,
            "lake": max(0, len(wanted) - await asyncio.to_thread(self._rows_in_the_lake)),
        }
        return {name: count for name, count in missing.items() if count}

    def _rows_in_the_lake(self) -> int:
        newest = [table.current_snapshot() for _, table in self.lake.tables([ATTEMPTS])]
        return sum(int(each.summary["total-records"] or 0) for each in newest if each and each.summary)

    async def drain(self, patience: float = 90.0) -> None:
        """Waits, when nothing is sent any more, until the end of the line has heard of everything. Raises TimeoutError."""
        async with asyncio.timeout(patience):
            while not (self.account.acknowledged <= self.account.heard and await self._arrived()):
                await asyncio.sleep(0.5)

    async def _arrived(self) -> bool:
        counts = await self.counts()
        return not any(counts[each] for each in ("unpublished", "lake_lost", "reports_lost"))


@asynccontextmanager
async def running_backbone(stores: Stores, clients: int = 3, batch: int = 20) -> AsyncIterator[Backbone]:
    """Runs everything, with clients that send and repeat what was not acknowledged; at the end they stop, and the rest drains."""
    bootstrap = f"127.0.0.1:{stores.to_broker.port}"
    await ensure_topics(bootstrap)
    account, stopping = Account(), asyncio.Event()
    producer = KafkaProducer(bootstrap, delivery_timeout=timedelta(seconds=5))
    ingested = RoundProducer(bootstrap, delivery_timeout=timedelta(seconds=5))
    ingest = IngestEvents(KafkaEventLog(ingested), QuickExaminer(), system_clock)
    async with await open_pool(stores.dsn("paideia_progress"), 6) as pool:
        record = RecordAttempts(partial(PostgresProgressUnit, pool, set()), system_clock)
        engine = open_engine(stores.dsn("paideia_analytics"), 4)
        facts = RecordFacts(partial(PostgresAnalyticsUnit, engine))
        jobs = [
            ConsumerRuntime(bootstrap, "progress", TOPICS, CountAttempts(record), producer).run,
            ConsumerRuntime(bootstrap, "listener", ["progress.updates"], account.hear, producer).run,
            ConsumerRuntime(bootstrap, "analytics-reports", ["user.attempts"], LogFacts(facts), producer).run,
            _lake_writer(stores, bootstrap, engine).run,
            # Two, as in two processes: when the publisher's connection dies the other takes over.
            *(OutboxRelay(stores.dsn("paideia_relay"), "progress", producer).run for _ in range(2)),
        ]
        running = [asyncio.create_task(job()) for job in jobs]
        sending = [asyncio.create_task(_send(ingest, account, stopping, batch)) for _ in range(clients)]
        backbone = Backbone(stores, account, stores.lake(through_proxy=False))
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
            await ingested.close()
            pool.terminate()
            await engine.dispose()


def _lake_writer(stores: Stores, bootstrap: str, engine: AsyncEngine) -> LakeWriter:
    lake = stores.lake()
    return LakeWriter(
        ATTEMPTS,
        IcebergTable(lake, ATTEMPTS),
        IcebergTable(lake, QUARANTINE),
        PostgresPseudonyms(engine, b"k" * 32),
        lambda topic, offsets: TopicFrom(bootstrap, topic, offsets),
        longest=timedelta(seconds=2),
    )


async def _send(ingest: IngestEvents[IngestEventsRequest, Entry], account: Account, stopping: asyncio.Event, size: int) -> None:
    number = 0
    while not stopping.is_set():
        if len(account.acknowledged) - len(account.heard) > _ON_ITS_WAY:
            await asyncio.sleep(0.05)
            continue
        number += 1
        batch = IngestEventsRequest(events=[_attempt(number * size + each) for each in range(size)])
        while True:
            try:
                receipt = await ingest(_TEACHER, batch)
            except Unavailable as error:
                account.refusals += 1
                await asyncio.sleep(error.retry_after.total_seconds())
                continue
            assert receipt.accepted == size, receipt.refused
            account.acknowledged.update(each.id for each in batch.events)
            break
        await asyncio.sleep(0.05)


def _attempt(number: int) -> LearningEvent:
    event = LearningEvent(id=str(uuid4()), learner=f"learners/l{number % _LEARNERS}", course="courses/fractions")
    event.occur_time.FromDatetime(datetime.now(UTC))
    event.attempt.item = f"items/i{number % 60}"
    event.attempt.skills.append(f"skills/s{number % 7}")
    event.attempt.correct = number % 3 != 0
    return event
