"""Items and their revisions in PostgreSQL."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, and_, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or_skip
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.catalog.postgres_rows import by_id, page_of
from adapters.catalog.postgres_tables import item_revisions, item_skills, items
from domain.catalog.model import Item, ItemChangedMeanwhile, ItemNotFound, PublishedItem
from domain.catalog.ports import ItemRepository
from domain.shared.page import Page, PageRequest

# The current revision of each item.
_current = select(item_revisions, items.c.created_at).join_from(
    items,
    item_revisions,
    and_(
        items.c.organization_id == item_revisions.c.organization_id,
        items.c.id == item_revisions.c.item_id,
        items.c.revision == item_revisions.c.revision,
    ),
)


class PostgresItems(ItemRepository):
    def __init__(self, connection: AsyncConnection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def get(self, item_id: str) -> Item:
        if (item := (await self.find([item_id])).get(item_id)) is None:
            raise ItemNotFound(f"no item {item_id}")
        return item

    async def find(self, item_ids: Collection[str]) -> Mapping[str, Item]:
        found = await self._connection.execute(_current.where(items.c.id.in_(item_ids)))
        return {row.item_id: item_of(row) for row in found}

    async def add(self, new: Sequence[Item]) -> frozenset[str]:
        rows = [
            {"organization_id": self._organization, "id": each.id, "revision": each.revision, "created_at": each.created_at}
            for each in sorted(new, key=by_id)
        ]
        statement = insert_or_skip(items).on_conflict_do_nothing().returning(items.c.id)
        added = frozenset((await self._connection.execute(statement, rows)).scalars()) if rows else frozenset()
        if added:
            await self._add_revisions([each for each in new if each.id in added])
        return added

    async def save(self, item: Item) -> None:
        follows = and_(items.c.id == item.id, items.c.revision == item.revision - 1)
        moved = await self._connection.execute(update(items).where(follows).values(revision=item.revision))
        if moved.rowcount == 0:
            raise ItemChangedMeanwhile(f"item {item.id} got another revision meanwhile")
        await self._connection.execute(delete(item_skills).where(item_skills.c.item_id == item.id))
        await self._add_revisions([item])

    async def _add_revisions(self, saved: Sequence[Item]) -> None:
        tenant: dict[str, object] = {"organization_id": self._organization}
        revisions = [
            tenant
            | {
                "item_id": each.id,
                "revision": each.revision,
                "title": each.title,
                "skills": list(each.skills),
                "body": each.body,
                "key": each.key,
                "saved_at": each.updated_at,
            }
            for each in saved
        ]
        practised = [tenant | {"skill_id": skill, "item_id": each.id} for each in saved for skill in each.skills]
        await self._connection.execute(insert(item_revisions), revisions)
        await self._connection.execute(insert(item_skills), practised)

    async def pool(self, skill_ids: Collection[str]) -> Sequence[PublishedItem]:
        touched = select(item_skills.c.item_id).where(item_skills.c.skill_id.in_(skill_ids))
        inside = item_revisions.c.skills.contained_by(list(skill_ids))
        found = await self._connection.execute(_current.where(items.c.id.in_(touched), inside).order_by(items.c.id))
        return [PublishedItem(row.item_id, row.revision, tuple(row.skills)) for row in found]

    async def page(self, request: PageRequest, skill_id: str | None) -> Page[Item]:
        wanted = _current
        if skill_id is not None:
            wanted = wanted.where(items.c.id.in_(select(item_skills.c.item_id).where(item_skills.c.skill_id == skill_id)))
        rows, cursor = await page_of(self._connection, wanted, items.c.id, request)
        return Page(tuple(map(item_of, rows)), cursor)


def item_of(row: Row[Any]) -> Item:
    return Item(
        id=row.item_id,
        skills=tuple(row.skills),
        body=row.body,
        key=row.key,
        title=row.title,
        revision=row.revision,
        created_at=row.created_at,
        updated_at=row.saved_at,
    )
