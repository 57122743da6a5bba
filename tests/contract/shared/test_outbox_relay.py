"""The outbox relay on real PostgreSQL: what committed reaches the log in order, what did not never does."""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import asyncpg

from adapters.shared.asyncpg_unit import AsyncpgUnit
from adapters.shared.outbox import OutboxRelay, add_to_outbox
from domain.shared.clock import system_clock
from domain.shared.errors import Unavailable
from domain.shared.events import EventEnvelope


class Log:
    """Keeps what it is sent; is away for the first `failures` times."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.payloads: list[bytes] = []

    async def send(self, envelopes: Sequence[EventEnvelope]) -> None:
        if self.failures:
            self.failures -= 1
            raise Unavailable("away")
        self.payloads += [each.payload for each in envelopes]


def envelopes(count: int, mark: str) -> list[EventEnvelope]:
    return [
        EventEnvelope(str(uuid4()), "t", "test", "north", "learners/ada", system_clock(), f"{mark} {number}".encode())
        for number in range(count)
    ]


async def publish(postgres, mark: str, log: Log, relays: int = 1) -> list[bytes]:
    """Commits 30 events in three transactions and rolls one back; returns what the log got of them."""
    async with asyncpg.create_pool(postgres.dsn("paideia_progress"), min_size=1, max_size=2) as pool:
        running = [asyncio.create_task(OutboxRelay(postgres.dsn("paideia_relay"), "progress", log).run()) for _ in range(relays)]
        events = envelopes(30, mark)
        for start in (0, 10, 20):
            async with AsyncpgUnit(pool, "north") as unit:
                await add_to_outbox(unit.connection, events[start : start + 10])
                await unit.commit()
        async with AsyncpgUnit(pool, "north") as unit:
            await add_to_outbox(unit.connection, envelopes(5, f"undone {mark}"))
        while True:
            async with AsyncpgUnit(pool, "north") as unit:
                if not await unit.connection.fetchval("SELECT count(*) FROM outbox"):
                    break
            await asyncio.sleep(0.02)
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    return [each for each in log.payloads if mark.encode() in each]


async def test_committed_events_reach_the_log_once_and_in_order(postgres) -> None:
    assert await publish(postgres, "plain", Log()) == [f"plain {number}".encode() for number in range(30)]


async def test_events_wait_while_the_log_is_away(postgres) -> None:
    assert await publish(postgres, "late", Log(failures=2)) == [f"late {number}".encode() for number in range(30)]


async def test_of_several_relays_one_publishes(postgres) -> None:
    assert await publish(postgres, "many", Log(), relays=3) == [f"many {number}".encode() for number in range(30)]
