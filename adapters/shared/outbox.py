"""The outbox: events written in the transaction that caused them, and the relay that brings them to the log."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from time import monotonic
from typing import Protocol

import asyncpg
import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.shared.postgres_connections import CONNECT_SECONDS, POOL_COMMAND_SECONDS, Connection, session_settings
from domain.shared.errors import Unavailable
from domain.shared.events import EventEnvelope

log = structlog.get_logger()

_ADD = """
WITH added AS (
    INSERT INTO outbox (organization_id, event_id, type, topic, key, occurred_at, traceparent, payload)
    SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::bytea[])
)
SELECT current_schema()
"""
_READ = """
SELECT position, organization_id, event_id::text AS event_id, type, topic, key, occurred_at, traceparent, payload
FROM outbox ORDER BY position LIMIT $1
"""
_COUNT = "SELECT count(*) FROM (SELECT FROM outbox LIMIT 1000000) AS waiting"
_BATCH = 2_000
_COUNT_EVERY_SECONDS = 5.0
# The safety net for rows that nobody rang for: looking costs one indexed read.
_LOOK_ANYWAY_SECONDS = 1.0
# The bell rings before the commit, which takes a millisecond or many: the relay looks again after 1, 2, 4 ... ms, so that the wait after
# the commit is no longer than the commit was.
_LOOK_FIRST_SECONDS = 0.001
_NOTIFY_EVERY_SECONDS = 0.01
# What the broker does costs by the batch. Resting for a multiple of what the last batch took keeps that cost a fixed share, however slow
# the broker's storage is, and grows the batches under load; somebody alone never waits for it.
_REST_FACTOR = 3.0
_REST_AT_MOST_SECONDS = 0.75
_SESSION = {
    **session_settings(POOL_COMMAND_SECONDS),
    # A publisher that is frozen, or whose network died, must not keep the lock: PostgreSQL ends its session. Longer than a batch may take
    # to reach the broker, while the session is silent.
    "idle_session_timeout": "15s",
}

published = Counter("paideia_outbox_published_total", "Events the relay brought to the log", ["context"])
backlog = Gauge("paideia_outbox_backlog", "Events waiting in the outbox when the relay last looked", ["context"])
backlog_age = Gauge(
    "paideia_outbox_backlog_age_seconds", "For how long the relay has known its oldest waiting event", ["context"]
)
active = Gauge("paideia_outbox_relay_active", "1 in the process whose relay publishes for the context", ["context"])

_relays: "defaultdict[str, set[OutboxRelay]]" = defaultdict(set)


async def add_to_outbox(connection: "asyncpg.Connection | AsyncConnection", envelopes: Sequence[EventEnvelope]) -> None:
    """Writes events into the outbox of the connection's schema, within its transaction, and wakes the relay of this process."""
    if not envelopes:
        return
    if isinstance(connection, AsyncConnection):
        driver: asyncpg.Connection = (await connection.get_raw_connection()).driver_connection
    else:
        driver = connection
    context = await driver.fetchval(
        _ADD,
        [each.organization for each in envelopes],
        [each.id for each in envelopes],
        [each.type for each in envelopes],
        [each.topic for each in envelopes],
        [each.key for each in envelopes],
        [each.occurred_at for each in envelopes],
        [each.traceparent for each in envelopes],
        [each.payload for each in envelopes],
    )
    wake_relay(context)


def wake_relay(context: str) -> None:
    """Tells the context's relay in this process and event loop, if there is one, that rows are about to commit."""
    loop = asyncio.get_running_loop()
    for each in _relays[context]:
        if each.loop is loop:
            each.rung.set()


class EventLog(Protocol):
    """Takes events for ever. Raises Unavailable when it cannot have them all."""

    async def send(self, envelopes: Sequence[EventEnvelope]) -> None: ...


class OutboxRelay:
    """Publishes one context's outbox in order and removes what the broker has acknowledged.

    Of all processes that run a relay for the context, the one that holds the advisory lock publishes; when it dies or freezes, PostgreSQL
    frees the lock and another takes over. The others pass on the bell of their own process by NOTIFY, outside any writer's transaction.
    A crash between acknowledgement and removal publishes again: consumers count an event id once.
    """

    def __init__(self, dsn: str, context: str, event_log: EventLog) -> None:
        """`dsn` signs in as the relay's role."""
        self._dsn = dsn
        self._context = context
        self._event_log = event_log
        self._channel = f"outbox_{context}"
        self._oldest = (0, 0.0)
        self._count_at = 0.0
        self.rung = asyncio.Event()
        self.loop: asyncio.AbstractEventLoop | None = None

    async def run(self) -> None:
        """Runs until cancelled; outlives the database and the broker."""
        self.loop = asyncio.get_running_loop()
        _relays[self._context].add(self)
        try:
            while True:
                try:
                    await self._work_while_connected()
                except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
                    log.warning("outbox relay lost the database", context=self._context, error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(1)
        finally:
            _relays[self._context].discard(self)

    async def _work_while_connected(self) -> None:
        session = {"search_path": self._context, **_SESSION}
        connection = await asyncpg.connect(
            self._dsn,
            server_settings=session,
            timeout=CONNECT_SECONDS,
            command_timeout=POOL_COMMAND_SECONDS,
            connection_class=Connection,
        )
        try:
            await self._wait_for_the_lock(connection)
            active.labels(self._context).set(1)
            await connection.add_listener(self._channel, lambda *_: self.rung.set())
            await self._publish(connection)
        finally:
            active.labels(self._context).set(0)
            connection.terminate()

    async def _wait_for_the_lock(self, connection: asyncpg.Connection) -> None:
        try_at = 0.0
        while True:
            if monotonic() >= try_at:
                if await connection.fetchval("SELECT pg_try_advisory_lock(hashtext($1))", f"relay {self._context}"):
                    return
                try_at = monotonic() + 1
            if await self._rings_within(try_at - monotonic()):
                await connection.execute(f"NOTIFY {self._channel}")
                await asyncio.sleep(_NOTIFY_EVERY_SECONDS)

    async def _publish(self, connection: asyncpg.Connection) -> None:
        pause = _LOOK_ANYWAY_SECONDS
        while not connection.is_closed():
            began = monotonic()
            count = await self._publish_batch(connection)
            if count == _BATCH:
                continue
            if count:
                await asyncio.sleep(min(_REST_FACTOR * (monotonic() - began), _REST_AT_MOST_SECONDS))
            if await self._rings_within(pause):
                pause = _LOOK_FIRST_SECONDS
                await asyncio.sleep(pause)
            else:
                pause = min(2 * pause, _LOOK_ANYWAY_SECONDS)

    async def _rings_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self.rung.wait()
        except TimeoutError:
            return False
        self.rung.clear()
        return True

    async def _publish_batch(self, connection: asyncpg.Connection) -> int:
        rows = await connection.fetch(_READ, _BATCH)
        await self._measure(connection, rows)
        if not rows:
            return 0
        try:
            await self._event_log.send(
                [
                    EventEnvelope(
                        id=row["event_id"],
                        type=row["type"],
                        topic=row["topic"],
                        organization=row["organization_id"],
                        key=row["key"],
                        occurred_at=row["occurred_at"],
                        payload=row["payload"],
                        traceparent=row["traceparent"],
                    )
                    for row in rows
                ]
            )
        except Unavailable as error:
            log.warning("the log is away; events wait in the outbox", context=self._context, error=error.message)
            await asyncio.sleep(error.retry_after.total_seconds())
            return _BATCH
        await connection.execute("DELETE FROM outbox WHERE position = ANY($1)", [row["position"] for row in rows])
        published.labels(self._context).inc(len(rows))
        return len(rows)

    async def _measure(self, connection: asyncpg.Connection, rows: Sequence[asyncpg.Record]) -> None:
        """Keeps the backlog's gauges. Rows carry no time of their own, so the oldest one's age counts from when it was first seen."""
        oldest = rows[0]["position"] if rows else 0
        if oldest != self._oldest[0]:
            self._oldest = oldest, monotonic()
        backlog_age.labels(self._context).set(monotonic() - self._oldest[1] if rows else 0.0)
        if len(rows) < _BATCH:
            backlog.labels(self._context).set(len(rows))
        elif monotonic() >= self._count_at:
            self._count_at = monotonic() + _COUNT_EVERY_SECONDS
            backlog.labels(self._context).set(await connection.fetchval(_COUNT))
