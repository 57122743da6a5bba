"""What business intelligence tools see: one organization's rows, to read."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest

from domain.analytics.model import Facts
from tests.contract.analytics.report_stores import engine_of, postgres_store
from tests.stores import PostgresServer
from tests.unit.analytics.report_making import MONDAY, attempt

VIEWS = (
    "attempts",
    "learner_days",
    "skill_days",
    "mastery_days",
    "first_answers",
    "sessions",
    "decisions",
    "decision_answers",
)


@pytest.fixture
async def reader(postgres: PostgresServer, north: str) -> AsyncIterator[asyncpg.Connection]:
    """A login of a tool that may read `north`; `north` has four attempts and another organization one."""
    engine = engine_of(postgres.dsn("paideia_analytics"))
    stored = postgres_store(engine)
    await stored.record(north, Facts([attempt(n) for n in range(3)] + [attempt(3, answered_at=MONDAY + timedelta(days=1))]))
    await stored.record(f"{north}-not", Facts([attempt(9)]))
    await engine.dispose()
    role = f"bi_{uuid4().hex}"
    owner = await asyncpg.connect(postgres.owner_dsn)
    await owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'secret' IN ROLE paideia_bi")
    await owner.execute("INSERT INTO analytics_views.readers VALUES ($1, $2)", role, north)
    await owner.close()
    connection = await asyncpg.connect(postgres.part.dsn(role, "secret"))
    yield connection
    await connection.close()


async def test_a_reader_sees_the_rows_of_its_organization_only(reader: asyncpg.Connection) -> None:
    assert await reader.fetchval("SELECT count(*) FROM analytics_views.attempts") == 4
    assert await reader.fetchval("SELECT sum(attempts) FROM analytics_views.learner_days") == 4
    for view in VIEWS:
        await reader.fetch(f"SELECT * FROM analytics_views.{view}")


async def test_a_first_answer_is_the_first_of_all_days_with_how_many_there_are(reader: asyncpg.Connection) -> None:
    (first,) = await reader.fetch("SELECT * FROM analytics_views.first_answers")
    assert (first["answered_at"], first["day"], first["attempts"]) == (MONDAY, MONDAY.date(), 4)


async def test_a_reader_cannot_step_into_another_organization(reader: asyncpg.Connection, north: str) -> None:
    await reader.execute("SELECT set_config('paideia.organization', $1, false)", f"{north}-not")
    assert await reader.fetchval("SELECT count(*) FROM analytics_views.attempts") == 4
    assert await reader.fetchval("SELECT count(*) FROM analytics.attempts WHERE organization_id <> $1", north) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM analytics_views.attempts",
        "UPDATE analytics.learner_days SET attempts = 0",
        "INSERT INTO analytics_views.readers VALUES ('x', 'y')",
        "SELECT * FROM analytics_views.readers",
        "SELECT * FROM analytics.exports",
        "SELECT * FROM analytics.due_exports",
        "SELECT * FROM analytics.lake_learners",
    ],
)
async def test_a_reader_can_only_read_and_only_the_views(reader: asyncpg.Connection, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await reader.execute(statement)


async def test_a_login_that_nobody_named_a_reader_sees_nothing(postgres: PostgresServer, reader: asyncpg.Connection) -> None:
    owner = await asyncpg.connect(postgres.owner_dsn)
    await owner.execute("DELETE FROM analytics_views.readers WHERE role_name = $1", await reader.fetchval("SELECT session_user"))
    await owner.close()
    assert await reader.fetchval("SELECT count(*) FROM analytics_views.attempts") == 0
