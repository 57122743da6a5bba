"""The outbox relay on real PostgreSQL: what committed reaches the log in order, what did not never does."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
import pytest

from adapters.shared import outbox
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


@pytest.fixture
def only_the_bell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the safety net away: a relay looks when it is woken, and else not for an hour."""
    monkeypatch.setattr(outbox, "_LOOK_ANYWAY_SECONDS", 3_600.0)


@asynccontextmanager
async def relaying(postgres, log: Log) -> AsyncIterator[OutboxRelay]:
    """Runs a relay in this event loop from its first look on."""
    relay = OutboxRelay(postgres.dsn("paideia_relay"), "progress", log)
    job = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)


async def commit(postgres, events: list[EventEnvelope]) -> None:
    async with (
        asyncpg.create_pool(postgres.dsn("paideia_progress"), min_size=1, max_size=1) as pool,
        AsyncpgUnit(pool, "north") as unit,
    ):
        await add_to_outbox(unit.connection, events)
        await asyncio.sleep(0.02)  # a commit takes its time
        await unit.commit()


async def arrives(log: Log, mark: str, count: int) -> list[bytes]:
    async with asyncio.timeout(30):
        while len(found := [each for each in log.payloads if mark.encode() in each]) < count:
            await asyncio.sleep(0.01)
    return found


async def holder(postgres) -> int:
    """Returns the process id of the session that holds the relay's lock, when there is one."""
    connection = await asyncpg.connect(postgres.superuser_dsn)
    try:
        async with asyncio.timeout(30):
            while True:
                query = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid = hashtext($1)::bigint::bit(32)::bigint::oid"
                if pid := await connection.fetchval(query, "relay progress"):
                    return int(pid)
                await asyncio.sleep(0.02)
    finally:
        await connection.close()


async def test_writing_to_the_outbox_wakes_the_relay_of_the_process(postgres, only_the_bell: None) -> None:
    log = Log()
    async with relaying(postgres, log):
        await holder(postgres)
        await asyncio.sleep(0.2)
        for number in range(3):
            await commit(postgres, envelopes(2, f"rung {number}"))
            assert len(await arrives(log, f"rung {number}", 2)) == 2


async def test_a_relay_that_does_not_publish_passes_the_bell_on(postgres, only_the_bell: None) -> None:
    """The publisher is in another event loop, as in another process, where this loop's bell is not heard."""
    log, done = Log(), threading.Event()

    async def publish_elsewhere() -> None:
        async with relaying(postgres, log):
            await asyncio.to_thread(done.wait)

    elsewhere = threading.Thread(target=asyncio.run, args=(publish_elsewhere(),))
    elsewhere.start()
    try:
        await holder(postgres)
        async with relaying(postgres, Log()):
            await asyncio.sleep(0.5)
            await commit(postgres, envelopes(2, "passed on"))
            assert len(await arrives(log, "passed on", 2)) == 2
    finally:
        done.set()
        await asyncio.to_thread(elsewhere.join)


async def test_when_the_publishers_session_ends_another_takes_over(postgres) -> None:
    log = Log()
    async with relaying(postgres, log), relaying(postgres, log):
        await commit(postgres, envelopes(3, "before"))
        await arrives(log, "before", 3)
        first = await holder(postgres)
        connection = await asyncpg.connect(postgres.superuser_dsn)
        await connection.execute("SELECT pg_terminate_backend($1)", first)
        await connection.close()
        await commit(postgres, envelopes(3, "after"))
        assert await arrives(log, "after", 3) == [f"after {number}".encode() for number in range(3)]
        assert await holder(postgres) != first


async def test_a_backlog_that_the_log_does_not_take_is_counted(postgres) -> None:
    log = Log(failures=10_000)
    await commit(postgres, envelopes(2_500, "waiting"))
    async with relaying(postgres, log):
        async with asyncio.timeout(30):
            while (
                outbox.backlog.labels("progress")._value.get() < 2_500 or outbox.backlog_age.labels("progress")._value.get() <= 0
            ):
                await asyncio.sleep(0.02)
        log.failures = 0
        assert await arrives(log, "waiting", 2_500) == [f"waiting {number}".encode() for number in range(2_500)]
        async with asyncio.timeout(30):
            while outbox.backlog.labels("progress")._value.get():
                await asyncio.sleep(0.02)
