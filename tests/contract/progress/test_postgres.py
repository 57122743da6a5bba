"""What only the real store can show: the outbox, items under concurrent writers, and who may touch what."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

import asyncpg
import pytest
from paideia.progress.v1 import events_pb2

from adapters.progress.postgres import PostgresProgressUnit
from domain.progress.model import Answer
from domain.progress.recomputation import Order
from domain.progress.use_cases.recompute_mastery import RecomputeMastery
from domain.progress.use_cases.record_attempts import RecordAttempts
from domain.progress.versions import MODELS
from domain.shared.caller import Caller, Role
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


async def test_a_repair_is_one_event_that_repeats_the_newest_attempt_and_tells_the_whole_state(
    record: RecordAttempts, pool: asyncpg.Pool, organization: str, postgres: PostgresServer
) -> None:
    moments = [NOW - timedelta(days=days) for days in (1, 30, 20)]
    told = [replace(answer("ada"), answered_at=each) for each in moments]
    await record(organization, [*told, replace(answer("ada"), course="", skills=("sum",))])
    recompute = RecomputeMastery(partial(PostgresProgressUnit, pool, set()), MODELS, lambda: NOW)
    admin = Caller(organization, "root", frozenset({Role.ADMIN}))
    for order in (Order.OCCURRED, Order.OCCURRED, Order.COUNTED):
        await recompute(admin, "ada", order)
    connection = await asyncpg.connect(postgres.superuser_dsn)
    rows = await connection.fetch("SELECT * FROM progress.outbox WHERE organization_id = $1 ORDER BY position", organization)
    await connection.close()
    events = [events_pb2.ProgressUpdated.FromString(row["payload"]) for row in rows]
    assert [(each.sequence, each.revision) for each in events] == [(1, 0), (2, 0), (3, 0), (4, 0), (4, 1), (4, 2)]
    assert len({row["event_id"] for row in rows}) == len(rows)
    assert {row["key"] for row in rows} == {"learners/ada"}
    assert [each.skill for each in events[-1].skills] == ["skills/add", "skills/simplify", "skills/sum"]
    assert [each.course for each in events[-1].abilities] == ["", "courses/fractions"]
    assert events[-1].attempt == events[3].attempt
    assert events[-1].skills[0] == events[2].skills[0]
    assert events[-2].skills[0] != events[2].skills[0]


async def test_attempts_from_before_evidence_was_kept_are_recomputed_as_far_as_it_goes(
    record: RecordAttempts, pool: asyncpg.Pool, organization: str, postgres: PostgresServer
) -> None:
    await record(organization, [answer("ada") for _ in range(6)])
    connection = await asyncpg.connect(postgres.superuser_dsn)
    await connection.execute(
        "UPDATE progress.attempts SET item_evidence = NULL, means_retained = NULL WHERE organization_id = $1 AND sequence <= 3",
        organization,
    )
    await connection.execute("UPDATE progress.skills SET mean = 0.5 WHERE organization_id = $1", organization)
    await connection.close()
    recompute = RecomputeMastery(partial(PostgresProgressUnit, pool, set()), MODELS, lambda: NOW)
    found = await recompute(Caller(organization, "root", frozenset({Role.ADMIN})), "ada", Order.AS_IT_STANDS)
    assert found.without_evidence == 3
    assert {(each.of, each.field) for each in found.differences} == {("add", "mean"), ("simplify", "mean")}


async def test_an_absent_database_is_unavailable(organization: str) -> None:
    async with asyncpg.create_pool("postgresql://nobody@127.0.0.1:9/nothing", min_size=0) as pool:
        record = RecordAttempts(partial(PostgresProgressUnit, pool, set()), lambda: NOW)
        with pytest.raises(Unavailable):
            await record(organization, [answer("ada")])
