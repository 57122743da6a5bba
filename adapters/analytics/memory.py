"""Reports in memory, for tests: every answer is computed from the facts when it is asked for."""

import asyncio
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, fields
from datetime import datetime
from types import TracebackType
from typing import Self

from adapters.analytics.exports_postgres import place_in
from domain.analytics.exports import Export, ExportLost, ExportNotFound, ExportState
from domain.analytics.model import Attempted, Decided, Facts, MasteryTold, Rebuilt, ReportQuery, SessionMarked
from domain.analytics.ports import AnalyticsUnit, DueExports, ExportCounter, Exports, Reports
from domain.analytics.reports import Row, cursor_at, key_in, key_of
from domain.analytics.reports_from_log import Log
from domain.analytics.rollups import Tally
from domain.shared.page import Page, PageRequest
from domain.shared.plans import Quota


@dataclass
class Tables:
    """What one organization has."""

    attempts: dict[str, Attempted] = field(default_factory=dict)
    decisions: dict[str, Decided] = field(default_factory=dict)
    sessions: list[SessionMarked] = field(default_factory=list)
    masteries: list[MasteryTold] = field(default_factory=list)
    exports: dict[str, Export] = field(default_factory=dict)
    due: dict[str, datetime] = field(default_factory=dict)

    def copied(self) -> "Tables":
        return Tables(*(copy(getattr(self, each.name)) for each in fields(self)))


@dataclass
class MemoryAnalytics(DueExports):
    """The organizations; `unit` opens one transaction."""

    tables: dict[str, Tables] = field(default_factory=dict)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    def unit(self, organization: str) -> "MemoryAnalyticsUnit":
        return MemoryAnalyticsUnit(self, organization, self._locks.setdefault(organization, asyncio.Lock()))

    async def next(self, now: datetime) -> tuple[str, str] | None:
        due = ((at, organization, id) for organization, its in self.tables.items() for id, at in its.due.items() if at <= now)
        first = min(due, default=None)
        return first[1:] if first else None


class MemoryReports(Reports):
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def record(self, facts: Facts) -> int:
        tables, before = self._tables, len(self._tables.attempts)
        for attempt in facts.attempts:
            tables.attempts.setdefault(attempt.id, attempt)
        for decision in facts.decisions:
            tables.decisions.setdefault(decision.id, decision)
        tables.sessions.extend(facts.sessions)
        tables.masteries.extend(facts.masteries)
        return len(tables.attempts) - before

    async def page(self, query: ReportQuery, request: PageRequest) -> Page[Row]:
        rows = self._log().report(query)
        if request.after is not None:
            key = key_in(query.kind, request.after)
            rows = [each for each in rows if key_of(each) > key]
        more = len(rows) > request.size
        return Page(tuple(rows[: request.size]), cursor_at(rows[request.size - 1]) if more else None)

    async def rebuild(self) -> Rebuilt:
        tally = Tally.of(self._tables.attempts.values())
        rows = len(tally.days) + len(tally.skills) + len(tally.items) + len(tally.decided)
        return Rebuilt(len(self._tables.attempts), rows, 0)

    def _log(self) -> Log:
        tables = self._tables
        return Log(Facts([*tables.attempts.values()], tables.sessions, [*tables.decisions.values()], tables.masteries))


class MemoryExports(Exports):
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def add(self, export: Export) -> None:
        self._tables.exports[export.id] = export
        self._tables.due[export.id] = export.created_at

    async def get(self, export_id: str) -> Export:
        try:
            return self._tables.exports[export_id]
        except KeyError:
            raise ExportNotFound(f"there is no export {export_id}") from None

    async def page(self, request: PageRequest, creator: str | None = None) -> Page[Export]:
        at, last = place_in(request)
        asked = [each for each in self._tables.exports.values() if creator in (None, each.creator)]
        newest = sorted(asked, key=lambda each: (each.created_at, each.id), reverse=True)
        rest = [each for each in newest if at is None or (each.created_at, each.id) < (at, last)]
        found = tuple(rest[: request.size])
        return Page(found, (found[-1].created_at.isoformat(), found[-1].id) if len(rest) > request.size else None)

    async def take(self, export_id: str, now: datetime) -> Export | None:
        at = self._tables.due.get(export_id)
        return await self.get(export_id) if at is not None and at <= now else None

    async def save(self, export: Export, due_at: datetime | None) -> None:
        if (await self.get(export.id)).tries > export.tries:
            raise ExportLost(f"export {export.id} was taken by another writer")
        self._tables.exports[export.id] = export
        if due_at is None:
            self._tables.due.pop(export.id, None)
        else:
            self._tables.due[export.id] = due_at


class MemoryExportCounter(ExportCounter):
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def hold(self) -> None:
        """Units take turns."""

    async def used(self, now: datetime) -> Mapping[Quota, int]:
        exports = self._tables.exports.values()
        return {
            Quota.EXPORTS_A_DAY: sum(each.created_at.date() == now.date() for each in exports),
            Quota.EXPORTS_IN_PROGRESS: sum(each.state in (ExportState.PENDING, ExportState.RUNNING) for each in exports),
        }


class MemoryAnalyticsUnit(AnalyticsUnit):
    def __init__(self, store: MemoryAnalytics, organization: str, lock: asyncio.Lock) -> None:
        self._store = store
        self._organization = organization
        self._lock = lock

    async def __aenter__(self) -> Self:
        await self._lock.acquire()
        self._tables = self._store.tables.get(self._organization, Tables()).copied()
        self.reports = MemoryReports(self._tables)
        self.exports = MemoryExports(self._tables)
        self.quotas = MemoryExportCounter(self._tables)
        return self

    async def commit(self) -> None:
        self._store.tables[self._organization] = self._tables.copied()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._lock.release()
