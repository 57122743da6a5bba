"""Policies in PostgreSQL. Row-level security confines every statement to the unit's organization."""

from dataclasses import asdict
from typing import Any

import asyncpg
import orjson

from adapters.shared.asyncpg_unit import AsyncpgUnit
from domain.scheduler.policies import (
    PolicyAlreadyExists,
    PolicyChange,
    PolicyNotFound,
    PolicyVersion,
    plain,
)
from domain.scheduler.policy import Policy
from domain.scheduler.ports import PolicyRepository, PolicyUnit
from domain.shared.page import Page, PageRequest
from domain.shared.rollout import IN_USE, Stage, Standing

_VERSIONS = "SELECT id, course, description, definition, digest, created_at, stage, share, replaced, revision FROM policies"
_CHANGES = "SELECT request_id::text, policy, act, after, changed_by, changed_at FROM policy_changes"


class PostgresPolicies(PolicyRepository):
    def __init__(self, connection: asyncpg.Connection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def hold(self) -> None:
        # Two policies of one scope depend on each other's stage, and so does a new one on those that it may replace.
        await self._connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('scheduler policies ' || $1, 0))", self._organization
        )

    async def get(self, policy_id: str) -> PolicyVersion:
        row = await self._connection.fetchrow(f"{_VERSIONS} WHERE id = $1", policy_id)
        if row is None:
            raise PolicyNotFound(f"no policy {policy_id}")
        return _version(row)

    async def in_use(self) -> list[PolicyVersion]:
        try:
            rows = await self._connection.fetch(f"{_VERSIONS} WHERE stage = ANY($1::text[]) ORDER BY id", list(IN_USE))
        except asyncpg.UndefinedTableError:  # this code may run before its migration: nobody has a policy of their own then
            return []
        return [_version(row) for row in rows]

    async def page(self, request: PageRequest) -> Page[PolicyVersion]:
        after = request.after[0] if request.after else ""
        rows = await self._connection.fetch(f"{_VERSIONS} WHERE id > $1 ORDER BY id LIMIT $2", after, request.size + 1)
        found = tuple(_version(row) for row in rows[: request.size])
        return Page(found, (found[-1].id,) if len(rows) > request.size else None)

    async def add(self, version: PolicyVersion) -> None:
        added = await self._connection.fetchval(
            """
            INSERT INTO policies (organization_id, id, course, description, definition, digest, created_at, stage, share, replaced, revision)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING RETURNING 1
            """,
            self._organization,
            version.id,
            version.course,
            version.description,
            orjson.dumps(plain(version.policy.to_document())).decode(),
            version.digest,
            version.created_at,
            *_standing_values(version.standing),
        )
        if added is None:
            raise PolicyAlreadyExists(f"policy {version.id} exists already")

    async def save(self, version: PolicyVersion, change: PolicyChange) -> None:
        await self._connection.execute(
            "UPDATE policies SET stage = $2, share = $3, replaced = $4, revision = $5 WHERE id = $1",
            version.id,
            *_standing_values(version.standing),
        )
        await self._connection.execute(
            """
            INSERT INTO policy_changes (organization_id, request_id, policy, revision, act, after, changed_by, changed_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            """,
            self._organization,
            change.request_id,
            change.policy,
            change.after.revision,
            change.act,
            orjson.dumps(asdict(change.after)).decode(),
            change.by,
            change.at,
        )

    async def changes(self, policy_id: str) -> list[PolicyChange]:
        rows = await self._connection.fetch(f"{_CHANGES} WHERE policy = $1 ORDER BY revision", policy_id)
        return [_change(row) for row in rows]

    async def changes_by(self, request_id: str) -> list[PolicyChange]:
        return [_change(row) for row in await self._connection.fetch(f"{_CHANGES} WHERE request_id = $1", request_id)]


class PostgresPolicyUnit(AsyncpgUnit, PolicyUnit):
    def _open(self) -> None:
        self.policies = PostgresPolicies(self.connection, self._organization)


def _standing_values(standing: Standing) -> tuple[str, float, str | None, int]:
    return standing.stage.value, standing.share, standing.replaced, standing.revision


def _version(row: asyncpg.Record) -> PolicyVersion:
    return PolicyVersion(
        policy=Policy.from_document(orjson.loads(row["definition"])),
        digest=row["digest"],
        created_at=row["created_at"],
        course=row["course"],
        description=row["description"],
        standing=Standing(Stage(row["stage"]), row["share"], row["replaced"], row["revision"]),
    )


def _change(row: asyncpg.Record) -> PolicyChange:
    after: dict[str, Any] = orjson.loads(row["after"])
    standing = Standing(**after | {"stage": Stage(after["stage"])})
    return PolicyChange(row["request_id"], row["policy"], row["act"], standing, row["changed_by"], row["changed_at"])
