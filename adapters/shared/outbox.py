"""The outbox: events written in the transaction that caused them, and the relay that brings them to the log."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

import asyncpg
import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.shared.errors import Unavailable
from domain.shared.events import EventEnvelope

log = structlog.get_logger()

_ADD = """
INSERT INTO outbox (organization_id, event_id, type, topic, key, occurred_at, traceparent, payload)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::bytea[])
"""
_READ = """
SELECT position, organization_id, event_id::text AS event_id, type, topic, key, occurred_at, traceparent, payload
FROM outbox ORDER BY position LIMIT $1
"""
_BATCH = 2_000
# Looking costs one indexed read. NOTIFY at commit would save it, but serializes the commits of everybody who notifies.
_LOOK_AGAIN_SECONDS = 0.1
# Under load events are gathered for longer: what the broker does costs by the batch.
_GATHER_SECONDS = 0.75

published = Counter("paideia_outbox_published_total", "Events the relay brought to the log", ["context"])
backlog = Gauge("paideia_outbox_backlog", "Events waiting in the outbox when the relay last looked, up to one batch", ["context"])


async def add_to_outbox(connection: "asyncpg.Connection | AsyncConnection", envelopes: Sequence[EventEnvelope]) -> None:
    """Writes events into the outbox of the connection's schema, within its transaction."""
    if not envelopes:
        return
    if isinstance(connection, AsyncConnection):
        driver: asyncpg.Connection = (await connection.get_raw_connection()).driver_connection
    else:
        driver = connection
    await driver.execute(
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


class EventLog(Protocol):
    """Takes events for ever. Raises Unavailable when it cannot have them all."""

    async def send(self, envelopes: Sequence[EventEnvelope]) -> None: ...


class OutboxRelay:
    """Publishes one context's outbox in order and removes what the broker has acknowledged.

    Of all processes that run a relay for the context, the one that holds the advisory lock publishes; when it dies, PostgreSQL frees the
    lock and another takes over. A crash between acknowledgement and removal publishes again: consumers count an event id once.
    """

    def __init__(self, dsn: str, context: str, event_log: EventLog) -> None:
        """`dsn` signs in as the relay's role."""
        self._dsn = dsn
        self._context = context
        self._event_log = event_log

    async def run(self) -> None:
        """Runs until cancelled; outlives the database and the broker."""
        while True:
            try:
                await self._publish_while_connected()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("outbox relay lost the database", context=self._context, error=str(error))
            await asyncio.sleep(1)

    async def _publish_while_connected(self) -> None:
        connection = await asyncpg.connect(self._dsn, server_settings={"search_path": self._context}, timeout=5)
        try:
            while not await connection.fetchval("SELECT pg_try_advisory_lock(hashtext($1))", f"relay {self._context}"):
                await asyncio.sleep(1)
            while not connection.is_closed():
                if (count := await self._publish_batch(connection)) < _BATCH:
                    await asyncio.sleep(_GATHER_SECONDS if count > 1 else _LOOK_AGAIN_SECONDS)
        finally:
            connection.terminate()

    async def _publish_batch(self, connection: asyncpg.Connection) -> int:
        rows = await connection.fetch(_READ, _BATCH)
        backlog.labels(self._context).set(len(rows))
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
