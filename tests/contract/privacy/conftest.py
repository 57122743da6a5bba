"""The tables of every context that knows people, with somebody called Zebediah in all of them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from adapters.analytics.lake_secrets import PostgresPseudonyms
from adapters.analytics.personal_records import LearnersInAnalytics
from adapters.assessment.personal_records import learners_in_assessment
from adapters.inference.personal_records import learners_in_inference
from adapters.paths.personal_records import learners_in_paths
from adapters.progress.personal_records import learners_in_progress
from adapters.scheduler.personal_records import LearnersInScheduler
from domain.shared.personal_data import PersonalRecords

PERSON = "zebediah.quill"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PARTIES = ("assessment", "progress", "scheduler", "paths", "analytics", "inference")

_COLUMNS = """
SELECT c.column_name, c.udt_name, c.is_nullable = 'NO' AS required
FROM information_schema.columns c
WHERE c.table_schema = $1 AND c.table_name = $2 AND c.is_generated = 'NEVER' AND c.is_identity = 'NO'
"""
_USUAL = {
    "text": "some text",
    "uuid": None,
    "int2": 1,
    "int4": 1,
    "int8": 1,
    "float8": 0.5,
    "bool": True,
    "bytea": b"some bytes",
    "timestamptz": NOW,
    "date": NOW.date(),
    "_text": ["one"],
    "_float8": [0.5],
    "json": "{}",
    "jsonb": "{}",
}


@dataclass
class World:
    """An organization in the tables of a context, seen past row-level security."""

    superuser: asyncpg.Connection
    organization: str

    async def put(self, context: str, table: str, **given: Any) -> None:
        """Puts a row into a table, the columns that are not given filled with something."""
        values: dict[str, Any] = {"organization_id": self.organization}
        for row in await self.superuser.fetch(_COLUMNS, context, table):
            name = row["column_name"]
            if name in given:
                values[name] = given[name]
            elif name not in values and row["required"]:
                usual = _USUAL[row["udt_name"]]
                values[name] = uuid4() if row["udt_name"] == "uuid" else usual
        names, places = ", ".join(values), ", ".join(f"${at}" for at in range(1, len(values) + 1))
        await self.superuser.execute(f"INSERT INTO {context}.{table} ({names}) VALUES ({places})", *values.values())

    async def rows(self, context: str, table: str) -> list[asyncpg.Record]:
        return await self.superuser.fetch(f"SELECT * FROM {context}.{table} WHERE organization_id = $1", self.organization)

    async def everything(self, context: str, *without: str) -> bytes:
        """All that the organization has in the context's schema, but for some tables, as bytes."""
        tables = await self.superuser.fetch(
            "SELECT table_name FROM information_schema.columns WHERE table_schema = $1 AND column_name = 'organization_id' "
            "AND table_name NOT LIKE 'attempts\\_%' AND table_name <> ALL ($2)",
            context,
            list(without),
        )
        dump = b""
        for (table,) in tables:
            for row in await self.rows(context, table):
                for value in row.values():
                    dump += bytes(value) if isinstance(value, bytes) else str(value).encode()
                    dump += b"\n"
        return dump


@pytest.fixture
async def world(postgres: Any) -> AsyncIterator[World]:
    superuser = await asyncpg.connect(postgres.superuser_dsn)
    await superuser.execute("SET paideia.rollups = 'days'")  # rows come as this release of analytics writes them
    yield World(superuser, f"z{uuid4().hex}")
    await superuser.close()


@pytest.fixture
async def records(postgres: Any, valkey_url: str, request: pytest.FixtureRequest) -> AsyncIterator[PersonalRecords]:
    """The context that the test is parametrized with, as its container puts it together."""
    from redis.asyncio import Redis
    from sqlalchemy.ext.asyncio import create_async_engine

    context = request.param
    dsn = postgres.dsn(f"paideia_{context}")
    pool = await asyncpg.create_pool(dsn, min_size=0, max_size=2)
    redis = Redis.from_url(valkey_url)
    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://", 1))
    match context:
        case "progress":
            yield learners_in_progress(pool)
        case "assessment":
            yield learners_in_assessment(pool)
        case "scheduler":
            yield LearnersInScheduler(pool, redis)
        case "inference":
            yield learners_in_inference(pool)
        case "paths":
            yield learners_in_paths(pool)
        case _:
            yield LearnersInAnalytics(pool, PostgresPseudonyms(engine, b"k" * 32))
    await engine.dispose()
    await redis.aclose()
    await pool.close()
