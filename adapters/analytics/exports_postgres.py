"""Exports in PostgreSQL. What is due is a table of its own, so that writers need to see nothing else across organizations."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.shared.postgres import translated
from adapters.shared.postgres_quotas import hold_quota
from domain.analytics.exports import Export, ExportFormat, ExportLost, ExportNotFound, ExportState
from domain.analytics.model import ReportKind, ReportQuery
from domain.analytics.ports import DueExports, ExportCounter, Exports
from domain.shared.errors import InvalidInput
from domain.shared.ids import canonical_uuid
from domain.shared.page import Page, PageRequest
from domain.shared.plans import Quota

_COLUMNS = """id::text AS id, kind, course, start_day, end_day, learners, format, creator, created_at, state, tries, row_count, byte_count,
    error, finished_at, expires_at"""
_ADD = text("""
INSERT INTO exports (organization_id, id, kind, course, start_day, end_day, learners, format, creator, created_at, state, tries, row_count,
                     byte_count, error)
VALUES (:organization, :id, :kind, :course, :start_day, :end_day, :learners, :format, :creator, :created_at, :state, 0, 0, 0, '')
""")
_GET = text(f"SELECT {_COLUMNS} FROM exports WHERE id = :id")  # noqa: S608  # only names of this module
_PAGE = text(f"""
SELECT {_COLUMNS} FROM exports
WHERE (CAST(:at AS timestamptz) IS NULL OR (created_at, id) < (:at, CAST(:id AS uuid)))
  AND (CAST(:creator AS text) IS NULL OR creator = :creator)
ORDER BY created_at DESC, id DESC LIMIT :most
""")  # noqa: S608  # only names of this module
_SAVE = text("""
UPDATE exports SET state = :state, tries = :tries, row_count = :row_count, byte_count = :byte_count, error = :error,
                   finished_at = :finished_at, expires_at = :expires_at
WHERE id = :id AND tries <= :tries
""")
_PUT_DUE = text("""
INSERT INTO due_exports (organization_id, id, due_at) VALUES (:organization, :id, :due_at)
ON CONFLICT (organization_id, id) DO UPDATE SET due_at = excluded.due_at
""")
_NOT_DUE = text("DELETE FROM due_exports WHERE id = :id")
_TAKE = text("""
SELECT 1 FROM due_exports WHERE organization_id = :organization AND id = :id AND due_at <= :now FOR UPDATE SKIP LOCKED
""")
_NEXT = text("SELECT organization_id, id::text FROM due_exports WHERE due_at <= :now ORDER BY due_at LIMIT 1")

# What was asked for lately is at the end of the index; what is in progress is due.
_USED = text("""
SELECT (SELECT count(*) FROM exports WHERE organization_id = :organization AND created_at >= :midnight) AS today,
       (SELECT count(*) FROM due_exports d JOIN exports e USING (organization_id, id)
        WHERE d.organization_id = :organization AND e.state IN ('PENDING', 'RUNNING')) AS in_progress
""")


class PostgresExports(Exports):
    def __init__(self, connection: AsyncConnection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def add(self, export: Export) -> None:
        query = export.query
        await self._connection.execute(
            _ADD,
            {
                "organization": self._organization,
                "id": export.id,
                "kind": query.kind,
                "course": query.course,
                "start_day": query.start,
                "end_day": query.end,
                "learners": list(query.learners),
                "format": export.format,
                "creator": export.creator,
                "created_at": export.created_at,
                "state": export.state,
            },
        )
        await self._due(export.id, export.created_at)

    async def get(self, export_id: str) -> Export:
        row = (await self._connection.execute(_GET, {"id": export_id})).one_or_none()
        if row is None:
            raise ExportNotFound(f"there is no export {export_id}")
        return _export(row)

    async def page(self, request: PageRequest, creator: str | None = None) -> Page[Export]:
        at, last = place_in(request)
        rows = (await self._connection.execute(_PAGE, {"at": at, "id": last, "creator": creator, "most": request.size + 1})).all()
        found = tuple(map(_export, rows[: request.size]))
        more = len(rows) > request.size
        return Page(found, (found[-1].created_at.isoformat(), found[-1].id) if more else None)

    async def take(self, export_id: str, now: datetime) -> Export | None:
        wanted = {"organization": self._organization, "id": export_id, "now": now}
        held = (await self._connection.execute(_TAKE, wanted)).first()
        return await self.get(export_id) if held else None

    async def save(self, export: Export, due_at: datetime | None) -> None:
        saved = await self._connection.execute(
            _SAVE,
            {
                "id": export.id,
                "state": export.state,
                "tries": export.tries,
                "row_count": export.row_count,
                "byte_count": export.byte_count,
                "error": export.error,
                "finished_at": export.finished_at,
                "expires_at": export.expires_at,
            },
        )
        if saved.rowcount != 1:
            raise ExportLost(f"export {export.id} was taken by another writer")
        if due_at is None:
            await self._connection.execute(_NOT_DUE, {"id": export.id})
        else:
            await self._due(export.id, due_at)

    async def _due(self, export_id: str, at: datetime) -> None:
        await self._connection.execute(_PUT_DUE, {"organization": self._organization, "id": export_id, "due_at": at})


class PostgresExportCounter(ExportCounter):
    def __init__(self, connection: AsyncConnection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def hold(self) -> None:
        await hold_quota(self._connection, "analytics", "exports", self._organization)

    async def used(self, now: datetime) -> Mapping[Quota, int]:
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        row = (await self._connection.execute(_USED, {"organization": self._organization, "midnight": midnight})).one()
        return {Quota.EXPORTS_A_DAY: row.today, Quota.EXPORTS_IN_PROGRESS: row.in_progress}


class PostgresDueExports(DueExports):
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def next(self, now: datetime) -> tuple[str, str] | None:
        try:
            async with self._engine.connect() as connection:
                row = (await connection.execute(_NEXT, {"now": now})).first()
        except (DBAPIError, OSError, PoolTimeout) as error:
            raise translated(error) from error
        return (row[0], row[1]) if row else None


def place_in(request: PageRequest) -> tuple[datetime | None, str | None]:
    """The place among exports that a cursor stands for. Raises InvalidInput if no page returned it."""
    if request.after is None:
        return None, None
    try:
        time, export_id = request.after
        at = datetime.fromisoformat(time)
        if at.tzinfo is None:
            raise ValueError
    except ValueError:
        raise InvalidInput.of("page_token", "must be the next_page_token of the page before, unchanged") from None
    return at, canonical_uuid(export_id, "page_token")


def _export(row: Any) -> Export:
    return Export(
        row.id,
        ReportQuery(ReportKind(row.kind), row.course, row.start_day, row.end_day, tuple(row.learners)),
        ExportFormat(row.format),
        row.creator,
        row.created_at,
        ExportState(row.state),
        row.tries,
        row.row_count,
        row.byte_count,
        row.error,
        row.finished_at,
        row.expires_at,
    )
