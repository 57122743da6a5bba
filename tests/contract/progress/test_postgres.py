"""What only the real store can show: the outbox, items under concurrent writers, and who may touch what."""

import asyncio
from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

import asyncpg
import pytest
from paideia.progress.v1 import events_pb2

from adapters.progress.postgres import PostgresProgressUnit
from domain.progress.model import Answer
from domain.progress.use_cases.record_attempts import RecordAttempts
from domain.shared.errors import Unavailable
from tests.stores import PostgresServer

NOW = datetime(2026, 9, 1, 8, 30, tzinfo=UTC)


def answer(learner: str, item: str = "half") -> Answer:
    return Answer(str(uuid4()), learner, "fractions", item, ("add", "simplify"), 1.0, True, NOW)


@pytest.fixture
def record(pool: asyncpg.Pool) -> RecordAttempts:
    return RecordAttempts(partial(PostgresProgressUnit, pool, set()), lambda: NOW)


async def test_each_attempt_leaves_one_event_with_all_that_changed(
    record: RecordAttempts, organization: str, postgres: PostgresServer
) -> None:
    told = [answer("ada"), answer("ada"), answer("bob")]
    outcomes = await record(organization, [*told, told[0]])
    connection = await asyncpg.connect(postgres.superuser_dsn)
    rows = await connection.fetch("SELECT * FROM progress.outbox WHERE organization_id = $1 ORDER BY position", organization)
    await connection.close()
    assert [str(row["event_id"]) for row in rows] == [each.id for each in told]
    assert {row["topic"] for row in rows} == {"progress.updates"}
    assert [row["key"] for row in rows] == ["learners/ada", "learners/ada", "learners/bob"]
    events = [events_pb2.ProgressUpdated.FromString(row["payload"]) for row in rows]
    assert [each.sequence for each in events] == [1, 2, 1]
    update = outcomes[1].update
    assert update is not None
    assert events[1].predicted_correct == update.attempt.predicted
    assert [each.skill for each in events[1].skills] == ["skills/add", "skills/simplify"]
    assert events[1].skills[0].mean == update.skills[0].estimate.mean
    assert events[1].ability_mean == update.ability.mean
    assert events[1].item_difficulty == update.difficulty


async def test_batches_over_the_same_items_and_learners_neither_deadlock_nor_lose(
    record: RecordAttempts, pool: asyncpg.Pool, organization: str
) -> None:
    batches = [
        [answer(f"learner-{(place + shift) % 30}", f"item-{(place * 7 + shift) % 30}") for place in range(30)]
        for shift in range(20)
    ]
    await asyncio.gather(*(record(organization, each) for each in batches))
    async with PostgresProgressUnit(pool, set(), organization) as unit:
        counts = await unit.connection.fetch("SELECT attempt_count FROM items")
    assert sum(row[0] for row in counts) == 600


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM attempts_old",
        "CREATE TABLE mine (id int)",
        "DROP TABLE attempts",
        "ALTER TABLE attempts DISABLE ROW LEVEL SECURITY",
    ],
)
async def test_the_role_reads_and_writes_rows_through_the_policies_only(
    pool: asyncpg.Pool, record: RecordAttempts, organization: str, statement: str
) -> None:
    old = Answer(str(uuid4()), "ada", "", "half", ("add",), 1.0, True, datetime(2010, 1, 1, tzinfo=UTC))
    await record(organization, [old])
    async with pool.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM attempts") == 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


async def test_an_absent_database_is_unavailable(organization: str) -> None:
    async with asyncpg.create_pool("postgresql://nobody@127.0.0.1:9/nothing", min_size=0) as pool:
        record = RecordAttempts(partial(PostgresProgressUnit, pool, set()), lambda: NOW)
        with pytest.raises(Unavailable):
            await record(organization, [answer("ada")])
