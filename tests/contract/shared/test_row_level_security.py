"""No table of any context can be read across organizations, and no context can read another's."""

import asyncpg
import pytest

import migrations

_UNPROTECTED = """
SELECT n.nspname || '.' || c.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY($1) AND c.relkind IN ('r', 'p') AND c.relname <> 'schema_version'
  AND NOT (c.relrowsecurity AND c.relforcerowsecurity
           AND (n.nspname || '.' || c.relname = ANY($2) OR EXISTS (
               SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'organization_id' AND attnotnull)))
"""
_TABLES = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> 'schema_version'
"""


# About no organization, and of no person: which months of attempts were retired.
_OF_THE_PLATFORM = ["progress.retired_months"]
# What writers of exports look through to know which organization's door to open: ids and times, nothing else.
_SEEN_BY_ITS_CONTEXT = {"due_exports"}


async def test_every_table_has_an_organization_and_forced_row_level_security(postgres) -> None:
    connection = await asyncpg.connect(postgres.superuser_dsn)
    try:
        assert [row[0] for row in await connection.fetch(_UNPROTECTED, migrations.contexts(), _OF_THE_PLATFORM)] == []
    finally:
        await connection.close()


@pytest.mark.parametrize("context", migrations.contexts())
async def test_without_an_organization_a_context_sees_no_row(postgres, context: str) -> None:
    owner = await asyncpg.connect(postgres.superuser_dsn)
    tables = [row[0] for row in await owner.fetch(_TABLES, context)]
    await owner.close()
    assert tables
    connection = await asyncpg.connect(postgres.dsn(f"paideia_{context}"))
    try:
        for table in set(tables) - _SEEN_BY_ITS_CONTEXT:
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0
    finally:
        await connection.close()


@pytest.mark.parametrize("context", migrations.contexts())
async def test_a_context_cannot_look_into_another_ones_schema(postgres, context: str) -> None:
    connection = await asyncpg.connect(postgres.dsn(f"paideia_{context}"))
    try:
        for other in set(migrations.contexts()) - {context}:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetchval(f"SELECT count(*) FROM {other}.outbox")
    finally:
        await connection.close()
