"""Events of a day, counted on a real Valkey, and what becomes of a batch beyond the plan."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from paideia.ingestion.v1.events_pb2 import LearningEvent
from paideia.ingestion.v1.ingestion_service_pb2 import IngestEventsRequest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from adapters.ingestion.memory import MemoryEventLog
from adapters.ingestion.redis import RedisEventCounter
from domain.ingestion.ports import EventLog
from domain.ingestion.use_cases.get_usage import GetUsage
from domain.ingestion.use_cases.ingest_events import IngestEvents
from domain.shared.caller import Caller, Role
from domain.shared.errors import QuotaReached, Unavailable
from domain.shared.plans import Plan, Quota, limit_of
from tests.ingesting import batch, by_rules

NOW = datetime(2026, 9, 1, 18, tzinfo=UTC)
MOST = limit_of(Quota.EVENTS_A_DAY, Plan.TRIAL)


@pytest.fixture
async def redis(valkey_url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(valkey_url)
    yield client
    await client.aclose()


@pytest.fixture
def teacher() -> Caller:
    return Caller(f"north-{uuid4()}", "tom", frozenset({Role.TEACHER}), plan=Plan.TRIAL)


def events(count: int) -> IngestEventsRequest:
    made = []
    for _ in range(count):
        event = LearningEvent(id=str(uuid4()), learner="learners/ada", course="courses/fractions")
        event.occur_time.FromDatetime(NOW)
        event.attempt.item, event.attempt.correct = "items/half", True
        event.attempt.skills.append("skills/halves")
        made.append(event)
    return batch(made)


async def test_what_comes_beyond_the_days_events_is_refused_until_midnight(redis: Redis, teacher: Caller) -> None:
    now, log, counter = [NOW], MemoryEventLog[LearningEvent](), RedisEventCounter(redis)
    ingest, usage = IngestEvents(log, by_rules, lambda: now[0], counter), GetUsage(counter, lambda: now[0])
    await counter.add(teacher.organization, NOW.date(), MOST - 5)
    ended = await asyncio.gather(*(ingest(teacher, events(2)) for _ in range(5)), return_exceptions=True)
    refused = [each for each in ended if isinstance(each, QuotaReached)]
    assert len(log.events.get(teacher.organization, [])) == 2 * (5 - len(refused)) <= 5
    assert {(each.quota, each.retry_after) for each in refused} == {("events_a_day", timedelta(hours=6))}
    # What was refused was not counted, so what fits still comes in.
    assert (await usage(teacher))[Quota.EVENTS_A_DAY] == MOST - 5 + 2 * (5 - len(refused))
    assert (await ingest(teacher, events(1))).accepted == 1
    other = Caller(f"south-{uuid4()}", "tom", frozenset({Role.TEACHER}), plan=Plan.TRIAL)
    assert (await ingest(other, events(2))).accepted == 2
    now[0] += timedelta(hours=6)
    assert (await usage(teacher))[Quota.EVENTS_A_DAY] == 0
    assert (await ingest(teacher, events(2))).accepted == 2


async def test_counts_are_forgotten_after_two_days(redis: Redis, teacher: Caller) -> None:
    await RedisEventCounter(redis).add(teacher.organization, NOW.date(), 3)
    kept = await redis.ttl(f"ingestion:events:{teacher.organization}:2026-09-01")
    assert 0 < kept <= 2 * 24 * 3600


class LogAway(EventLog[LearningEvent]):
    async def append(self, organization: str, events: Sequence[LearningEvent]) -> None:
        raise Unavailable("the log is away")


async def test_events_that_the_log_did_not_take_are_not_counted(redis: Redis, teacher: Caller) -> None:
    counter = RedisEventCounter(redis)
    with pytest.raises(Unavailable):
        await IngestEvents(LogAway(), by_rules, lambda: NOW, counter)(teacher, events(3))
    assert await counter.of(teacher.organization, NOW.date()) == 0


async def test_without_the_store_events_are_taken_and_nobody_waits_for_it_each_time(teacher: Caller) -> None:
    asked, clock = Redis.from_url("redis://127.0.0.1:1", retry=Retry(NoBackoff(), 0)), [0.0]
    counter, log = RedisEventCounter(asked, lambda: clock[0]), MemoryEventLog[LearningEvent]()
    ingest = IngestEvents(log, by_rules, lambda: NOW, counter)
    for _ in range(3):
        assert (await ingest(teacher, events(2))).accepted == 2
    assert len(log.events[teacher.organization]) == 6
    with pytest.raises(Unavailable):
        await GetUsage(counter, lambda: NOW)(teacher)
    await asked.aclose()
