"""Skills and their prerequisites in PostgreSQL."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, select, text, update
from sqlalchemy.dialects.postgresql import insert as insert_or_skip
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.catalog.postgres_rows import by_id, page_of
from adapters.catalog.postgres_tables import skills
from domain.catalog.model import Skill, SkillNotFound
from domain.catalog.ports import SkillRepository
from domain.shared.page import Page, PageRequest

_HOLD_GRAPH = text("SELECT pg_advisory_xact_lock(hashtextextended('catalog skills ' || :organization, 0))")
_ANCESTORS = text(
    "WITH RECURSIVE wanted(id) AS (SELECT unnest(CAST(:ids AS text[])) "
    "UNION SELECT unnest(s.prerequisites) FROM skills s JOIN wanted USING (id)) "
    "SELECT s.id, s.title, s.description, s.prerequisites, s.created_at FROM skills s JOIN wanted USING (id)"
)


class PostgresSkills(SkillRepository):
    def __init__(self, connection: AsyncConnection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def get(self, skill_id: str) -> Skill:
        if (skill := (await self.find([skill_id])).get(skill_id)) is None:
            raise SkillNotFound(f"no skill {skill_id}")
        return skill

    async def find(self, skill_ids: Collection[str]) -> Mapping[str, Skill]:
        found = await self._connection.execute(select(skills).where(skills.c.id.in_(skill_ids)))
        return {row.id: _skill(row) for row in found}

    async def add(self, new: Sequence[Skill]) -> frozenset[str]:
        if not new:
            return frozenset()
        rows = [
            {
                "organization_id": self._organization,
                "id": each.id,
                "title": each.title,
                "description": each.description,
                "prerequisites": list(each.prerequisites),
                "created_at": each.created_at,
            }
            for each in sorted(new, key=by_id)
        ]
        statement = insert_or_skip(skills).on_conflict_do_nothing().returning(skills.c.id)
        return frozenset((await self._connection.execute(statement, rows)).scalars())

    async def save(self, skill: Skill) -> None:
        changed = {"title": skill.title, "description": skill.description, "prerequisites": list(skill.prerequisites)}
        await self._connection.execute(update(skills).where(skills.c.id == skill.id).values(changed))

    async def hold_graph(self) -> Mapping[str, Skill]:
        await self._connection.execute(_HOLD_GRAPH, {"organization": self._organization})
        return {row.id: _skill(row) for row in await self._connection.execute(select(skills))}

    async def with_ancestors(self, skill_ids: Collection[str]) -> Mapping[str, Skill]:
        found = await self._connection.execute(_ANCESTORS, {"ids": list(skill_ids)})
        return {row.id: _skill(row) for row in found}

    async def page(self, request: PageRequest) -> Page[Skill]:
        rows, cursor = await page_of(self._connection, select(skills), skills.c.id, request)
        return Page(tuple(map(_skill, rows)), cursor)


def _skill(row: Row[Any]) -> Skill:
    return Skill(row.id, row.title, row.description, tuple(row.prerequisites), row.created_at)
