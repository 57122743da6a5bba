"""Legal holds in real PostgreSQL: what they refuse, whichever way it is asked for, and what they leave behind."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import create_async_engine

from adapters.identity.postgres_privacy import PostgresDirectory
from adapters.shared.postgres import BIND_ORGANIZATION, UnderLegalHold, translated
from stack.retention.holds import Act, Hold, HoldRefused, holds, place, release

_ERASURE = """
INSERT INTO identity.privacy_jobs (organization_id, id, kind, user_id, requested_by, state, created_at, due_at, receipts, digest, byte_count)
VALUES ($1, $2, $3, $4, 'tom', $5, now(), now(), '[]', '', 0)
"""


@pytest_asyncio.fixture
async def connection(postgres) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres.superuser_dsn)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def organization(connection: asyncpg.Connection) -> AsyncIterator[str]:
    """With a user ada, as far as holds look; whatever is held is released at the end."""
    name = f"o{uuid4().hex[:10]}"
    await connection.execute("SET session_replication_role = replica")
    await _row(connection, "organizations", organization_id=name)
    await _row(connection, "users", organization_id=name, id="ada")
    await connection.execute("SET session_replication_role = origin")
    yield name
    await connection.execute("UPDATE identity.holds SET released_at = now() WHERE organization_id = $1", name)


async def _row(connection: asyncpg.Connection, table: str, **values: str) -> None:
    """A row with something in every column that must have something."""
    columns = await connection.fetch(
        "SELECT column_name AS name, data_type AS type FROM information_schema.columns WHERE table_schema = 'identity' AND table_name = $1 "
        "AND is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO' AND is_generated = 'NEVER'",
        table,
    )
    some = {
        "text": "''",
        "boolean": "false",
        "timestamp with time zone": "now()",
        "ARRAY": "'{}'",
        "bytea": "''",
        "uuid": "gen_random_uuid()",
    }
    filled = {each["name"]: some.get(each["type"], "'0'") for each in columns} | {
        name: f"'{value}'" for name, value in values.items()
    }
    await connection.execute(f"INSERT INTO identity.{table} ({', '.join(filled)}) VALUES ({', '.join(filled.values())})")


def hold(organization: str, user: str = "") -> Hold:
    return Hold(str(uuid4()), organization, user, "case 17", "root", datetime.now(UTC))


def audit(verb: str, hold: Hold) -> Act:
    return Act("paideia.audit.v1.ActRecorded", f"{verb} {hold.user}".encode())


async def erasure(
    connection: asyncpg.Connection, organization: str, user: str, state: str = "WAITING", kind: str = "ERASURE"
) -> None:
    await connection.execute(_ERASURE, organization, uuid4(), kind, user, state)


async def due(postgres, organization: str) -> list[str]:
    """The organization's jobs that identity would carry out now."""
    engine = create_async_engine(postgres.dsn("paideia_identity").replace("postgresql://", "postgresql+asyncpg://", 1))
    async with engine.begin() as platform:
        await platform.execute(BIND_ORGANIZATION, {"organization": "-"})
        jobs = await PostgresDirectory(platform).due_jobs(datetime.now(UTC), 10_000)
    await engine.dispose()
    return [job for whose, job in jobs if whose == organization]


@pytest.mark.parametrize("whom", ["ada", ""])
async def test_an_erasure_is_refused_while_its_person_or_the_organization_is_held(
    connection: asyncpg.Connection, organization: str, whom: str
) -> None:
    placed, _ = await place(connection, hold(organization, whom), audit)
    with pytest.raises(asyncpg.PostgresError) as refused:
        await erasure(connection, organization, "ada")
    assert isinstance(translated(refused.value), UnderLegalHold)
    await erasure(connection, organization, "ada", kind="EXPORT")
    if whom:
        await erasure(connection, organization, "bob")
    await release(connection, placed.id, "root", datetime.now(UTC), audit)
    await erasure(connection, organization, "ada")


async def test_a_hold_cancels_the_erasures_that_wait(connection: asyncpg.Connection, organization: str) -> None:
    await erasure(connection, organization, "ada")
    await erasure(connection, organization, "bob")
    _, cancelled = await place(connection, hold(organization, "ada"), audit)
    states = await connection.fetch("SELECT user_id, state FROM identity.privacy_jobs WHERE organization_id = $1", organization)
    assert (cancelled, dict(states)) == (1, {"ada": "CANCELLED", "bob": "WAITING"})


async def test_an_erasure_that_slipped_in_does_not_begin_before_the_hold_is_released(
    connection: asyncpg.Connection, organization: str, postgres
) -> None:
    placed, _ = await place(connection, hold(organization), audit)
    await connection.execute("ALTER TABLE identity.privacy_jobs DISABLE TRIGGER held_asked")
    try:
        await erasure(connection, organization, "ada")
    finally:
        await connection.execute("ALTER TABLE identity.privacy_jobs ENABLE TRIGGER held_asked")
    begin = "UPDATE identity.privacy_jobs SET state = 'RUNNING', user_id = 'erased-1' WHERE organization_id = $1"
    with pytest.raises(asyncpg.PostgresError, match="legal hold"):
        await connection.execute(begin, organization)
    assert await due(postgres, organization) == []
    await release(connection, placed.id, "root", datetime.now(UTC), audit)
    assert len(await due(postgres, organization)) == 1


@pytest.mark.parametrize("whom", ["", "erased-1"])
async def test_an_erasure_is_not_told_a_second_time_before_a_hold_that_was_placed_meanwhile_is_released(
    connection: asyncpg.Connection, organization: str, whom: str, postgres
) -> None:
    await _row(connection, "users", organization_id=organization, id="erased-1")
    await erasure(connection, organization, "erased-1", "SUCCEEDED")
    done = "UPDATE identity.privacy_jobs SET sealed_subject = 'x', finished_at = now() - interval '2 days' WHERE organization_id = $1"
    await connection.execute(done, organization)
    repeat = "UPDATE identity.privacy_jobs SET sealed_subject = NULL WHERE organization_id = $1"
    placed, cancelled = await place(connection, hold(organization, whom), audit)
    with pytest.raises(asyncpg.PostgresError) as refused:
        await connection.execute(repeat, organization)
    assert isinstance(translated(refused.value), UnderLegalHold)
    assert (cancelled, await due(postgres, organization)) == (0, [])
    await release(connection, placed.id, "root", datetime.now(UTC), audit)
    assert len(await due(postgres, organization)) == 1
    await connection.execute(repeat, organization)
    assert await due(postgres, organization) == []


async def test_a_hold_is_audited_once_in_its_transaction_and_a_repeat_finds_it(
    connection: asyncpg.Connection, organization: str
) -> None:
    first, _ = await place(connection, hold(organization, "ada"), audit)
    again, _ = await place(connection, hold(organization, "ada"), audit)
    for _ in range(2):
        released = await release(connection, first.id, "root", datetime.now(UTC), audit)
    acts = await connection.fetch(
        "SELECT payload FROM identity.outbox WHERE organization_id = $1 ORDER BY position", organization
    )
    assert [bytes(each[0]) for each in acts] == [b"PlaceHold ada", b"ReleaseHold ada"]
    assert replace(again, placed_at=first.placed_at) == first
    assert released.released_by == "root"
    assert [each.id for each in await holds(connection, released=True) if each.organization == organization] == [first.id]
    assert not [each for each in await holds(connection, released=False) if each.organization == organization]


@pytest.mark.parametrize(("whose", "whom"), [("nobody", ""), (None, "nobody")])
async def test_a_hold_on_nobody_is_refused(
    connection: asyncpg.Connection, organization: str, whose: str | None, whom: str
) -> None:
    with pytest.raises(HoldRefused):
        await place(connection, hold(whose or organization, whom), audit)


@pytest.mark.parametrize("id", ["", "17", "00000000-0000-0000-0000-000000000000"])
async def test_releasing_what_is_not_there_is_refused(connection: asyncpg.Connection, id: str) -> None:
    with pytest.raises(HoldRefused):
        await release(connection, id, "root", datetime.now(UTC), audit)


async def test_the_contexts_role_removes_no_hold(postgres) -> None:
    connection = await asyncpg.connect(postgres.dsn("paideia_identity"))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("DELETE FROM holds")
    finally:
        await connection.close()
