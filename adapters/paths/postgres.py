"""Paths in PostgreSQL: a path is one document. Row-level security confines every statement to the unit's organization."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    MetaData,
    Row,
    Table,
    Text,
    func,
    insert,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import insert as insert_or_skip
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.paths.codec import Json, document_of, path_of
from adapters.paths.kafka import envelope
from adapters.shared.outbox import add_to_outbox
from adapters.shared.postgres import PostgresUnit
from domain.paths.model import Cause, Path, PathAdapted, PathAlreadyExists, PathNotFound, Revision
from domain.paths.ports import EventOutbox, PathRepository, PathsUnit, RevisionRepository
from domain.shared.page import Page, PageRequest

_schema = MetaData()
paths = Table(
    "paths",
    _schema,
    Column("organization_id", Text),
    Column("learner", Text),
    Column("id", Text),
    Column("course", Text),
    Column("publication", BigInteger),
    Column("archived", Boolean),
    Column("document", JSONB),
)
path_revisions = Table(
    "path_revisions",
    _schema,
    Column("organization_id", Text),
    Column("learner", Text),
    Column("path_id", Text),
    Column("number", BigInteger),
    Column("cause", Text),
    Column("at", DateTime(timezone=True)),
    Column("reason", Text),
    Column("by", Text),
    Column("changes", ARRAY(Text)),
)
_HOLD_LEARNER = text("SELECT pg_advisory_xact_lock(hashtextextended('paths of ' || :organization || ' ' || :learner, 0))")
_by_learner = (paths.c.learner, paths.c.id)


class PostgresPaths(PathRepository):
    def __init__(self, connection: AsyncConnection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def get(self, learner: str, path_id: str) -> Path:
        return await self._one(learner, path_id, held=False)

    async def hold(self, learner: str, path_id: str) -> Path:
        return await self._one(learner, path_id, held=True)

    async def _one(self, learner: str, path_id: str, held: bool) -> Path:
        wanted = select(paths).where(paths.c.learner == learner, paths.c.id == path_id)
        row = (await self._connection.execute(wanted.with_for_update() if held else wanted)).one_or_none()
        if row is None:
            raise PathNotFound(f"no path {path_id} of {learner}")
        return _path(row)

    async def hold_learner(self, learner: str) -> int:
        await self._connection.execute(_HOLD_LEARNER, {"organization": self._organization, "learner": learner})
        counted = select(func.count()).select_from(paths).where(paths.c.learner == learner, ~paths.c.archived)
        return int((await self._connection.execute(counted)).scalar_one())

    async def hold_of(self, learners: Collection[str]) -> Sequence[Path]:
        # Held in one order by everybody, so that overlapping batches wait for each other and never in a circle.
        wanted = select(paths).where(paths.c.learner.in_(learners), ~paths.c.archived).order_by(*_by_learner).with_for_update()
        return [_path(row) for row in await self._connection.execute(wanted)]

    async def add(self, path: Path) -> None:
        row = {
            "organization_id": self._organization,
            "learner": path.learner,
            "id": path.id,
            "course": path.course,
            **_values(path),
        }
        added = await self._connection.execute(insert_or_skip(paths).on_conflict_do_nothing(), row)
        if added.rowcount == 0:
            raise PathAlreadyExists(f"there is a path {path.id} of {path.learner} already")

    async def save(self, path: Path) -> None:
        its = (paths.c.learner == path.learner, paths.c.id == path.id)
        await self._connection.execute(update(paths).where(*its).values(_values(path)))

    async def page(self, request: PageRequest, learner: str | None, course: str | None, archived: bool) -> Page[Path]:
        wanted = select(paths)
        if learner is not None:
            wanted = wanted.where(paths.c.learner == learner)
        if course is not None:
            wanted = wanted.where(paths.c.course == course)
        if not archived:
            wanted = wanted.where(~paths.c.archived)
        if request.after is not None:
            wanted = wanted.where(tuple_(*_by_learner) > request.after)
        rows = (await self._connection.execute(wanted.order_by(*_by_learner).limit(request.size + 1))).all()
        return Page(tuple(map(_path, rows[: request.size])), _next(rows, request.size))

    async def outdated(self, course: str, publication: int, request: PageRequest) -> Page[tuple[str, str]]:
        wanted = select(*_by_learner).where(paths.c.course == course, paths.c.publication < publication, ~paths.c.archived)
        if request.after is not None:
            wanted = wanted.where(tuple_(*_by_learner) > request.after)
        rows = (await self._connection.execute(wanted.order_by(*_by_learner).limit(request.size + 1))).all()
        return Page(tuple((row.learner, row.id) for row in rows[: request.size]), _next(rows, request.size))


class PostgresRevisions(RevisionRepository):
    def __init__(self, connection: AsyncConnection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def add(self, revision: Revision) -> None:
        row = {
            "organization_id": self._organization,
            "learner": revision.learner,
            "path_id": revision.path,
            "number": revision.number,
            "cause": revision.cause,
            "at": revision.at,
            "reason": revision.reason,
            "by": revision.by,
            "changes": list(revision.changes),
        }
        await self._connection.execute(insert(path_revisions), row)

    async def page(self, learner: str, path_id: str, request: PageRequest) -> Page[Revision]:
        table = path_revisions.c
        wanted = select(path_revisions).where(table.learner == learner, table.path_id == path_id)
        if request.after is not None:
            wanted = wanted.where(table.number < int(request.after[0]))
        rows = (await self._connection.execute(wanted.order_by(table.number.desc()).limit(request.size + 1))).all()
        found = tuple(
            Revision(row.learner, row.path_id, row.number, Cause(row.cause), row.at, row.reason, row.by, tuple(row.changes))
            for row in rows[: request.size]
        )
        return Page(found, (str(found[-1].number),) if len(rows) > request.size else None)


class PostgresEvents(EventOutbox):
    def __init__(self, connection: AsyncConnection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def add(self, event: PathAdapted) -> None:
        await add_to_outbox(self._connection, [envelope(self._organization, event)])


class PostgresPathsUnit(PostgresUnit, PathsUnit):
    def _open(self) -> None:
        self.paths = PostgresPaths(self.connection, self._organization)
        self.revisions = PostgresRevisions(self.connection, self._organization)
        self.events = PostgresEvents(self.connection, self._organization)


def _values(path: Path) -> Json:
    return {"publication": path.publication, "archived": path.archived_at is not None, "document": document_of(path)}


def _path(row: Row[Any]) -> Path:
    return path_of(row.learner, row.id, row.course, row.publication, row.document)


def _next(rows: Sequence[Any], size: int) -> tuple[str, str] | None:
    return (rows[size - 1].learner, rows[size - 1].id) if len(rows) > size else None
