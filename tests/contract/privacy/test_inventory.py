"""The inventory of personal data in docs/privacy.md is that of the database."""

import re
from typing import Any

import asyncpg

import migrations
from tests.e2e.platform import ROOT

_TABLES = """
SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY($1) AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> 'schema_version'
"""


async def test_the_inventory_lists_every_table_and_no_other(postgres: Any) -> None:
    connection = await asyncpg.connect(postgres.superuser_dsn)
    try:
        tables = {row[0] for row in await connection.fetch(_TABLES, migrations.contexts())}
    finally:
        await connection.close()
    listed = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|", (ROOT / "docs" / "privacy.md").read_text(), re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert tables - set(listed) == set()
    assert set(listed) - tables == set()
