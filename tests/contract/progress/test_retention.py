"""Months of attempts and remembered answers in real PostgreSQL: made, retired, dropped, held."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from stack.retention.database import UnderHold, apply_database, plan_database
from stack.retention.policy import Policy

NOW = datetime(2031, 5, 17, tzinfo=UTC)


@pytest_asyncio.fixture
async def connection(postgres) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres.superuser_dsn)
    yield connection
    await connection.close()


async def month(connection: asyncpg.Connection, when: datetime) -> None:
    await connection.execute("SELECT progress.ensure_attempts_partition($1)", when)


async def count(connection: asyncpg.Connection, organization: str) -> int:
    found: int = await connection.fetchval("SELECT count(*) FROM progress.attempts WHERE organization_id = $1", organization)
    return found


async def attempt(connection: asyncpg.Connection, organization: str, when: datetime) -> None:
    await month(connection, when)
    await connection.execute(
        "INSERT INTO progress.attempts (organization_id, id, learner_id, sequence, course_id, item_id, item_revision, skills, means_before, "
        "means_after, score, correct, predicted_correct, model_version, decision_id, hints_revealed, answer_time, record_time) "
        "VALUES ($1, $2, 'ada', 1, 'c', 'i', 1, '{}', '{}', '{}', 1, true, 0.5, 'm', '', 0, $3, $3)",
        organization,
        uuid4(),
        when,
    )


async def test_a_month_that_many_need_at_once_is_made_once(postgres) -> None:
    async with asyncpg.create_pool(postgres.dsn("paideia_progress"), min_size=20, max_size=20) as pool:
        for year in range(2040, 2046):
            await asyncio.gather(
                *(pool.execute("SELECT ensure_attempts_partition($1)", datetime(year, 3, 1, tzinfo=UTC)) for _ in range(20))
            )


async def test_months_are_made_ahead_and_a_repeat_plans_nothing(connection: asyncpg.Connection) -> None:
    policy = Policy(months_ahead=2, answer_days=0)
    steps = await plan_database(connection, policy, NOW)
    assert [each.name for each in steps if each.what == "make"] == ["attempts_2031_05", "attempts_2031_06", "attempts_2031_07"]
    await apply_database(connection, steps, policy)
    assert not [each for each in await plan_database(connection, policy, NOW) if each.what == "make"]


async def test_an_old_month_is_retired_and_dropped_and_a_young_one_stays(connection: asyncpg.Connection) -> None:
    organization = f"retired-{uuid4().hex[:8]}"
    for when in (NOW - timedelta(days=100), NOW):
        await attempt(connection, organization, when)
    policy = Policy(attempts_months=2, months_ahead=0, answer_days=0, retired_days=0)
    # Of other tests' months only what this one made: they are older than its time.
    steps = [each for each in await plan_database(connection, policy, NOW) if each.name == "attempts_2031_02"]
    assert [each.what for each in steps] == ["retire"]
    await apply_database(connection, steps, policy)
    assert await count(connection, organization) == 1
    assert await connection.fetchval("SELECT count(*) FROM progress_retired.attempts_2031_02") >= 1
    dropping = [each for each in await plan_database(connection, policy, NOW) if each.name == "attempts_2031_02"]
    assert [each.what for each in dropping] == ["drop"]
    await apply_database(connection, dropping, policy)
    assert await connection.fetchval("SELECT to_regclass('progress_retired.attempts_2031_02')") is None
    await connection.execute("DELETE FROM progress.retired_months")


async def test_nothing_is_retired_while_a_hold_is_open(connection: asyncpg.Connection) -> None:
    await attempt(connection, "held", datetime(2030, 1, 5, tzinfo=UTC))
    policy = Policy(attempts_months=2, months_ahead=0, answer_days=0)
    steps = [each for each in await plan_database(connection, policy, NOW) if each.name == "attempts_2030_01"]
    hold = uuid4()
    await connection.execute(
        "INSERT INTO identity.holds (organization_id, id, user_id, reason, placed_by, placed_at) VALUES ('held', $1, '', 'case', 'me', now())",
        hold,
    )
    try:
        with pytest.raises(UnderHold, match="held"):
            await apply_database(connection, steps, policy)
        assert await count(connection, "held") == 1
    finally:
        await connection.execute("DELETE FROM identity.holds WHERE id = $1", hold)


async def test_answers_are_forgotten_when_they_are_old_enough(connection: asyncpg.Connection) -> None:
    rows = [("answers", uuid4(), NOW), ("answers", uuid4(), datetime.now(UTC) - timedelta(days=40))]
    await connection.executemany(
        "INSERT INTO catalog.request_ledger (organization_id, method, request_id, fingerprint, answer, create_time) "
        "VALUES ($1, 'm', $2, '', '', $3)",
        rows,
    )
    policy = Policy(answer_days=30, months_ahead=0)
    steps = [each for each in await plan_database(connection, policy, NOW) if each.name == "catalog.request_ledger"]
    assert [(each.what, each.rows >= 1) for each in steps] == [("forget", True)]
    await apply_database(connection, steps, policy)
    left = await connection.fetch("SELECT request_id FROM catalog.request_ledger WHERE organization_id = 'answers'")
    assert [each[0] for each in left] == [rows[0][1]]
