"""Courses and their publications in PostgreSQL."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, Table, and_, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as insert_or_skip
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.catalog.postgres_items import item_of
from adapters.catalog.postgres_rows import page_of
from adapters.catalog.postgres_tables import courses, item_revisions, items, publication_items, publications
from domain.catalog.model import (
    Course,
    CourseAlreadyExists,
    CourseNotFound,
    CourseNotPublished,
    Edition,
    Item,
    Publication,
    PublishedItem,
    PublishedSkill,
)
from domain.catalog.ports import CourseRepository, PublicationRepository
from domain.shared.page import Page, PageRequest

_PIN = text(
    "INSERT INTO publication_items (organization_id, course_id, number, item_id, revision, skills) "
    "SELECT :organization, :course, :number, r.item_id, r.revision, r.skills "
    "FROM unnest(CAST(:ids AS text[]), CAST(:revisions AS bigint[])) AS pinned(item_id, revision) "
    "JOIN item_revisions r USING (item_id, revision)"
)

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
        rows, cursor = await page_of(self._connection, wanted, courses.c.id, request)
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
        return rows[0].publication, [item_of(row) for row in rows if row.item_id is not None]


def _newest_number(course_id: str) -> Any:
    return select(courses.c.publication).where(courses.c.id == course_id).scalar_subquery()


def _same_revision(pinned: Table) -> Any:
    return and_(
        pinned.c.organization_id == item_revisions.c.organization_id,
        pinned.c.item_id == item_revisions.c.item_id,
        pinned.c.revision == item_revisions.c.revision,
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
