import asyncio
from contextlib import suppress
from dataclasses import replace

import asyncpg
import pytest
from redis.asyncio import Redis

from adapters.scheduler.postgres import PostgresDecisionLog
from adapters.scheduler.redis import RedisHotStates, RedisRecords
from adapters.scheduler.write_behind import WriteBehindDecisionLog
from domain.scheduler.model import Decision, DecisionNotFound
from tests.contract.scheduler.test_decision_log import a_decision


async def found(log: PostgresDecisionLog, organization: str, decision: Decision) -> Decision:
    """Waits until a record is durable."""
    async with asyncio.timeout(20):
        while True:
            with suppress(DecisionNotFound):
                return await log.get(organization, decision.id)
            await asyncio.sleep(0.02)


async def test_what_is_kept_becomes_durable_and_is_published_once(
    pool: asyncpg.Pool, redis: Redis, postgres, organization: str
) -> None:
    log = WriteBehindDecisionLog(RedisRecords(redis), PostgresDecisionLog(pool))
    running = asyncio.create_task(log.run())
    made = [a_decision() for _ in range(50)]
    await asyncio.gather(*(log.keep(organization, each) for each in made * 2))
    for each in made:
        assert await found(PostgresDecisionLog(pool), organization, each) == each
    running.cancel()
    connection = await asyncpg.connect(postgres.superuser_dsn)
    try:
        events = await connection.fetch("SELECT event_id FROM scheduler.outbox WHERE organization_id = $1", organization)
    finally:
        await connection.close()
    assert sorted(str(row["event_id"]) for row in events) == sorted(each.id for each in made)


async def test_a_kept_record_is_in_the_next_read_of_any_process(pool: asyncpg.Pool, redis: Redis, organization: str) -> None:
    decision = a_decision()
    await WriteBehindDecisionLog(RedisRecords(redis), PostgresDecisionLog(pool)).keep(organization, decision)
    await asyncio.sleep(0.1)
    assert (await RedisHotStates(redis).read(organization, "ada", "sql", decision.id)).decision == decision
    assert await WriteBehindDecisionLog(RedisRecords(redis), PostgresDecisionLog(pool)).get(organization, decision.id) == decision
    assert (await RedisHotStates(redis).read("another", "ada", "sql", decision.id)).decision is None


async def test_a_record_that_was_durable_first_is_in_the_next_read_too(
    pool: asyncpg.Pool, redis: Redis, organization: str
) -> None:
    decision = a_decision()
    log = WriteBehindDecisionLog(RedisRecords(redis), PostgresDecisionLog(pool))
    await log.add(organization, decision)
    assert (await RedisHotStates(redis).read(organization, "ada", "sql", decision.id)).decision == decision
    await log.add(organization, replace(decision, learner="grace"))
    assert (await RedisHotStates(redis).read(organization, "ada", "sql", decision.id)).decision == decision


async def test_what_a_dead_process_left_behind_another_makes_durable(pool: asyncpg.Pool, redis: Redis, organization: str) -> None:
    dead = WriteBehindDecisionLog(RedisRecords(redis), PostgresDecisionLog(pool))
    made = [a_decision() for _ in range(5)]
    for each in made:
        await dead.keep(organization, each)
    await asyncio.sleep(0.1)  # it died before it ever ran
    heir = asyncio.create_task(WriteBehindDecisionLog(RedisRecords(redis), PostgresDecisionLog(pool), 0.0).run())
    for each in made:
        assert await found(PostgresDecisionLog(pool), organization, each) == each
    heir.cancel()


@pytest.mark.parametrize("seconds", [0.0, 1.1])  # then it is due to be asked again, and nobody knows yet whether it is back
async def test_while_the_cache_is_away_records_are_durable_before_they_are_answered(
    pool: asyncpg.Pool, organization: str, seconds: float
) -> None:
    async with Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=0.2) as absent:
        records = RedisRecords(absent)
        while not records.away:
            await records.get(organization, "any")
        await asyncio.sleep(seconds)
        decision = a_decision()
        await WriteBehindDecisionLog(records, PostgresDecisionLog(pool)).keep(organization, decision)
    assert await PostgresDecisionLog(pool).get(organization, decision.id) == decision


async def test_a_cache_that_is_back_takes_records_again(pool: asyncpg.Pool, redis: Redis, organization: str) -> None:
    records = RedisRecords(redis)
    log = WriteBehindDecisionLog(records, PostgresDecisionLog(pool))
    place = redis.connection_pool.connection_kwargs
    port = place["port"]
    place["port"] = 1
    redis.connection_pool.reset()
    while not records.away:
        await records.get(organization, "any")
    place["port"] = port
    redis.connection_pool.reset()
    async with asyncio.timeout(10):
        while records.away:
            await log.keep(organization, a_decision())
            await asyncio.sleep(0.1)


async def test_a_driver_that_fails_in_ways_of_its_own_costs_no_record(
    pool: asyncpg.Pool, redis: Redis, organization: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    durable = PostgresDecisionLog(pool)
    log = WriteBehindDecisionLog(RedisRecords(redis), durable)
    decision = a_decision()
    await log.keep(organization, decision)
    with monkeypatch.context() as dying:

        async def fail(*_: object) -> None:
            raise asyncpg.InternalClientError("got result for unknown protocol state 3")

        dying.setattr(durable, "add_records", fail)
        await log.flush()
    await log.flush()
    assert await durable.get(organization, decision.id) == decision


async def test_a_record_that_the_database_refuses_does_not_hold_up_its_neighbours(
    pool: asyncpg.Pool, redis: Redis, organization: str
) -> None:
    log = WriteBehindDecisionLog(RedisRecords(redis), PostgresDecisionLog(pool))
    good = [a_decision() for _ in range(3)]
    for each in (good[0], replace(a_decision(), learner="nul\0in it"), *good[1:]):
        await log.keep(organization, each)
    await log.flush()
    for each in good:
        assert await PostgresDecisionLog(pool).get(organization, each.id) == each


async def test_a_cache_that_dies_meanwhile_loses_nothing(pool: asyncpg.Pool, organization: str) -> None:
    async with Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=0.2) as absent:
        log = WriteBehindDecisionLog(RedisRecords(absent), PostgresDecisionLog(pool))
        decision = a_decision()
        await log.keep(organization, decision)
        await log.flush()
    assert await PostgresDecisionLog(pool).get(organization, decision.id) == decision


async def test_an_absent_database_delays_records_and_loses_none(pool: asyncpg.Pool, redis: Redis, organization: str) -> None:
    decision = a_decision()
    async with asyncpg.create_pool("postgresql://nobody@127.0.0.1:1/none", min_size=0) as absent:
        log = WriteBehindDecisionLog(RedisRecords(redis), PostgresDecisionLog(absent))
        await log.keep(organization, decision)
        await log.flush()
        assert await log.get(organization, decision.id) == decision
    with pytest.raises(DecisionNotFound):
        await PostgresDecisionLog(pool).get(organization, decision.id)
    heir = asyncio.create_task(WriteBehindDecisionLog(RedisRecords(redis), PostgresDecisionLog(pool), 0.0).run())
    assert await found(PostgresDecisionLog(pool), organization, decision) == decision
    heir.cancel()
