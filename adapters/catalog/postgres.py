"""The catalog in PostgreSQL. Row-level security confines every statement to the unit's organization."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Column, Row, Select, Table, and_, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as insert_or_skip
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.catalog.kafka import envelope
from adapters.catalog.postgres_tables import (
    courses,
    item_revisions,
    item_skills,
    items,
    publication_items,
    publications,
    skills,
)
from adapters.shared.outbox import add_to_outbox
from adapters.shared.postgres import PostgresUnit
from domain.catalog.model import (
    Course,
    CourseAlreadyExists,
    CourseNotFound,
    CourseNotPublished,
    CoursePublished,
    Edition,
    Item,
    ItemChangedMeanwhile,
    ItemNotFound,
    Publication,
    PublishedItem,
    PublishedSkill,
    Skill,
    SkillNotFound,
)
from domain.catalog.ports import (
    CatalogUnit,
    CourseRepository,
    EventOutbox,
    ItemRepository,
    PublicationRepository,
    QuotaCounter,
    SkillRepository,
)
from domain.shared.page import Page, PageRequest
from domain.shared.plans import Quota

_HOLD_GRAPH = text("SELECT pg_advisory_xact_lock(hashtextextended('catalog skills ' || :organization, 0))")
_HOLD_QUOTA = text("SELECT pg_advisory_xact_lock(hashtextextended('catalog ' || :quota || ' ' || :organization, 0))")
_COUNTED = {Quota.COURSES: courses, Quota.ITEMS: items}
_ANCESTORS = text(
    "WITH RECURSIVE wanted(id) AS (SELECT unnest(CAST(:ids AS text[])) "
    "UNION SELECT unnest(s.prerequisites) FROM skills s JOIN wanted USING (id)) "
    "SELECT s.id, s.title, s.description, s.prerequisites, s.created_at FROM skills s JOIN wanted USING (id)"
)
_PIN = text(
    "INSERT INTO publication_items (organization_id, course_id, number, item_id, revision, skills) "
    "SELECT :organization, :course, :number, r.item_id, r.revision, r.skills "
    "FROM unnest(CAST(:ids AS text[]), CAST(:revisions AS bigint[])) AS pinned(item_id, revision) "
    "JOIN item_revisions r USING (item_id, revision)"
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
            for each in sorted(new, key=_by_id)
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
        rows, cursor = await _page(self._connection, select(skills), skills.c.id, request)
        return Page(tuple(map(_skill, rows)), cursor)


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
        return {row.item_id: _item(row) for row in found}

    async def add(self, new: Sequence[Item]) -> frozenset[str]:
        rows = [
            {"organization_id": self._organization, "id": each.id, "revision": each.revision, "created_at": each.created_at}
            for each in sorted(new, key=_by_id)
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
        rows, cursor = await _page(self._connection, wanted, items.c.id, request)
        return Page(tuple(map(_item, rows)), cursor)


# Each course with its newest publication, if it has one.
_with_edition = select(
    courses,
    publications.c.published_at,
    publications.c.title.label("published_title"),
    publications.c.description.label("published_description"),
    publications.c.skills.label("published_skills"),
    publications.c.item_count,
    publications.c.fingerprint,
).join_from(
    courses,
    publications,
    and_(
        publications.c.organization_id == courses.c.organization_id,
        publications.c.course_id == courses.c.id,
        publications.c.number == courses.c.publication,
    ),
    isouter=True,
)


class PostgresQuotaCounter(QuotaCounter):
    def __init__(self, connection: AsyncConnection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def hold(self, quota: Quota) -> None:
        await self._connection.execute(_HOLD_QUOTA, {"quota": quota, "organization": self._organization})

    async def used(self, quota: Quota) -> int:
        table = _COUNTED[quota]
        query = select(func.count()).select_from(table).where(table.c.organization_id == self._organization)
        return (await self._connection.execute(query)).scalar_one()


class PostgresCourses(CourseRepository):
    def __init__(self, connection: AsyncConnection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def get(self, course_id: str) -> Course:
        row = (await self._connection.execute(_with_edition.where(courses.c.id == course_id))).one_or_none()
        if row is None:
            raise CourseNotFound(f"no course {course_id}")
        return _course(row)

    async def hold(self, course_id: str) -> Course:
        # Locked first and read after: a statement that waited for the lock would see the edition of before.
        await self._connection.execute(select(courses.c.id).where(courses.c.id == course_id).with_for_update())
        return await self.get(course_id)

    async def add(self, course: Course) -> None:
        row = {
            "organization_id": self._organization,
            "id": course.id,
            "title": course.title,
            "description": course.description,
            "skills": list(course.skills),
            "created_at": course.created_at,
            "publication": 0,
        }
        added = await self._connection.execute(insert_or_skip(courses).on_conflict_do_nothing(), row)
        if added.rowcount == 0:
            raise CourseAlreadyExists(f"there is a course {course.id} already")

    async def save(self, course: Course) -> None:
        draft = {"title": course.title, "description": course.description, "skills": list(course.skills)}
        await self._connection.execute(update(courses).where(courses.c.id == course.id).values(draft))

    async def page(self, request: PageRequest, published_only: bool) -> Page[Course]:
        wanted = _with_edition.where(courses.c.publication > 0) if published_only else _with_edition
        rows, cursor = await _page(self._connection, wanted, courses.c.id, request)
        return Page(tuple(map(_course, rows)), cursor)


class PostgresPublications(PublicationRepository):
    def __init__(self, connection: AsyncConnection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def add(self, publication: Publication) -> None:
        row = {
            "organization_id": self._organization,
            "course_id": publication.course,
            "number": publication.number,
            "published_at": publication.published_at,
            "title": publication.title,
            "description": publication.description,
            "skills": [[each.id, each.title, each.prerequisites] for each in publication.skills],
            "item_count": len(publication.items),
            "fingerprint": publication.fingerprint(),
        }
        await self._connection.execute(insert(publications), row)
        await self._connection.execute(
            _PIN,
            {
                "organization": self._organization,
                "course": publication.course,
                "number": publication.number,
                "ids": [each.id for each in publication.items],
                "revisions": [each.revision for each in publication.items],
            },
        )
        newest = update(courses).where(courses.c.id == publication.course).values(publication=publication.number)
        await self._connection.execute(newest)

    async def newest(self, course_id: str) -> Publication:
        of_course = and_(publications.c.course_id == course_id, publications.c.number == _newest_number(course_id))
        row = (await self._connection.execute(select(publications).where(of_course))).one_or_none()
        if row is None:
            raise CourseNotPublished(f"course {course_id} has no publication")
        pinned = await self._connection.execute(
            select(publication_items.c.item_id, publication_items.c.revision, publication_items.c.skills)
            .where(publication_items.c.course_id == course_id, publication_items.c.number == row.number)
            .order_by(publication_items.c.item_id)
        )
        return Publication(
            course=course_id,
            number=row.number,
            published_at=row.published_at,
            title=row.title,
            description=row.description,
            skills=tuple(PublishedSkill(skill, title, tuple(before)) for skill, title, before in row.skills),
            items=tuple(PublishedItem(item, revision, tuple(practised)) for item, revision, practised in pinned),
        )

    async def items(self, course_id: str, item_ids: Collection[str]) -> tuple[int, Sequence[Item]]:
        pinned = (
            select(item_revisions, items.c.created_at)
            .join_from(publication_items, item_revisions, _same_revision(publication_items))
            .join(
                items, and_(items.c.organization_id == item_revisions.c.organization_id, items.c.id == item_revisions.c.item_id)
            )
            .where(
                publication_items.c.course_id == course_id,
                publication_items.c.number == _newest_number(course_id),
                publication_items.c.item_id.in_(item_ids),
            )
            .subquery()
        )
        number = select(courses.c.publication).where(courses.c.id == course_id).subquery()
        statement = select(number.c.publication, pinned).join_from(number, pinned, text("true"), isouter=True)
        rows = (await self._connection.execute(statement.order_by(pinned.c.item_id))).all()
        if not rows or rows[0].publication == 0:
            raise CourseNotPublished(f"course {course_id} has no publication")
        return rows[0].publication, [_item(row) for row in rows if row.item_id is not None]


class PostgresEvents(EventOutbox):
    def __init__(self, connection: AsyncConnection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def add(self, event: CoursePublished) -> None:
        await add_to_outbox(self._connection, [envelope(self._organization, event)])


class PostgresCatalogUnit(PostgresUnit, CatalogUnit):
    def _open(self) -> None:
        self.skills = PostgresSkills(self.connection, self._organization)
        self.items = PostgresItems(self.connection, self._organization)
        self.courses = PostgresCourses(self.connection, self._organization)
        self.publications = PostgresPublications(self.connection, self._organization)
        self.quotas = PostgresQuotaCounter(self.connection, self._organization)
        self.events = PostgresEvents(self.connection, self._organization)


def _by_id(thing: Skill | Item) -> str:
    """Rows are inserted in one order by everybody, so that overlapping batches wait for each other and never in a circle."""
    return thing.id


def _newest_number(course_id: str) -> Any:
    return select(courses.c.publication).where(courses.c.id == course_id).scalar_subquery()


def _same_revision(pinned: Table) -> Any:
    return and_(
        pinned.c.organization_id == item_revisions.c.organization_id,
        pinned.c.item_id == item_revisions.c.item_id,
        pinned.c.revision == item_revisions.c.revision,
    )


async def _page(
    connection: AsyncConnection, wanted: Select[Any], key: Column[str], request: PageRequest
) -> tuple[Sequence[Row[Any]], tuple[str, ...] | None]:
    """Returns one page ordered by `key`, which must be the row's first id, and the cursor of the next; reads one row more to know."""
    if request.after is not None:
        wanted = wanted.where(key > request.after[0])
    rows = (await connection.execute(wanted.add_columns(key.label("cursor")).order_by(key).limit(request.size + 1))).all()
    page = rows[: request.size]
    return page, ((cast(str, page[-1].cursor),) if len(rows) > request.size else None)


def _skill(row: Row[Any]) -> Skill:
    return Skill(row.id, row.title, row.description, tuple(row.prerequisites), row.created_at)


def _item(row: Row[Any]) -> Item:
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


def _course(row: Row[Any]) -> Course:
    edition = None
    if row.publication:
        edition = Edition(
            number=row.publication,
            published_at=row.published_at,
            title=row.published_title,
            description=row.published_description,
            skills=tuple(skill for skill, _, _ in row.published_skills),
            item_count=row.item_count,
            fingerprint=row.fingerprint,
        )
    return Course(row.id, row.title, row.description, tuple(row.skills), row.created_at, edition)
