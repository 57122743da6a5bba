"""The ports of the scheduler, each in memory and on its real store; every test has an organization of its own."""

from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest
from redis.asyncio import Redis

from adapters.scheduler.memory import MemoryDecisionLog, MemoryHotStates, MemoryStore
from adapters.scheduler.postgres import PostgresDecisionLog, PostgresSchedulerUnit
from adapters.scheduler.redis import RedisHotStates, RedisRecords
from adapters.scheduler.write_behind import WriteBehindDecisionLog
from domain.scheduler.ports import DecisionLog, HotStates, NewUnit


@pytest.fixture
def organization() -> str:
    return f"org-{uuid4()}"


@pytest.fixture
async def pool(request: pytest.FixtureRequest) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(request.getfixturevalue("postgres").dsn("paideia_scheduler"), min_size=0, max_size=8) as pool:
        yield pool


@pytest.fixture(params=["memory", "postgres"])
async def new_unit(request: pytest.FixtureRequest) -> AsyncIterator[NewUnit]:
    if request.param == "memory":
        yield MemoryStore().unit
        return
    async with asyncpg.create_pool(request.getfixturevalue("postgres").dsn("paideia_scheduler"), min_size=0, max_size=8) as pool:
        yield lambda organization: PostgresSchedulerUnit(pool, organization)


@pytest.fixture
async def redis(request: pytest.FixtureRequest) -> AsyncIterator[Redis]:
    async with Redis.from_url(request.getfixturevalue("valkey_url")) as redis:
        yield redis


@pytest.fixture(params=["memory", "postgres", "write-behind"])
async def decisions(request: pytest.FixtureRequest) -> AsyncIterator[DecisionLog]:
    if request.param == "memory":
        yield MemoryDecisionLog()
        return
    async with (
        asyncpg.create_pool(request.getfixturevalue("postgres").dsn("paideia_scheduler"), min_size=0, max_size=8) as pool,
        Redis.from_url(request.getfixturevalue("valkey_url")) as redis,
    ):
        durable = PostgresDecisionLog(pool)
        yield durable if request.param == "postgres" else WriteBehindDecisionLog(RedisRecords(redis), durable)


@pytest.fixture(params=["memory", "valkey"])
async def hot(request: pytest.FixtureRequest) -> AsyncIterator[HotStates]:
    if request.param == "memory":
        yield MemoryHotStates()
        return
    redis = Redis.from_url(request.getfixturevalue("valkey_url"))
    yield RedisHotStates(redis)
    await redis.aclose()
