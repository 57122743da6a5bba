"""What reports need of the world."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

from domain.analytics.exports import Export, ExportFormat
from domain.analytics.model import Facts, Rebuilt, ReportQuery
from domain.analytics.reports import Row
from domain.shared.page import Page, PageRequest
from domain.shared.plans import Quota


class Reports(Protocol):
    """The facts of one organization, and what they add up to."""

    async def record(self, facts: Facts) -> int:
        """Adds facts that are not known yet, each once for ever by its id; returns how many attempts were new."""
        ...

    async def page(self, query: ReportQuery, request: PageRequest) -> Page[Row]:
        """Returns rows of a report by their key. Raises InvalidInput naming `page_token` when the cursor is not one of its."""
        ...

    async def rebuild(self) -> Rebuilt:
        """Computes every aggregate anew from the attempts. Nobody records until the unit ends; readers see the old ones until then."""
        ...


class Exports(Protocol):
    """The exports of one organization."""

    async def add(self, export: Export) -> None:
        """A writer may take it as soon as the unit commits."""

    async def get(self, export_id: str) -> Export:
        """Raises ExportNotFound."""
        ...

    async def page(self, request: PageRequest, creator: str | None = None) -> Page[Export]:
        """Newest first; only those that `creator` asked for, or all."""
        ...

    async def take(self, export_id: str, now: datetime) -> Export | None:
        """Holds an export that is due until the unit ends; None if it is not, or if somebody else holds it."""
        ...

    async def save(self, export: Export, due_at: datetime | None) -> None:
        """Replaces an export; it is due again at `due_at`, or never. Raises ExportLost if it was taken by a later try."""


class ExportCounter(Protocol):
    """How many exports one organization has asked for."""

    async def hold(self) -> None:
        """Keeps others from asking for one until the unit ends."""

    async def used(self, now: datetime) -> Mapping[Quota, int]:
        """EXPORTS_IN_PROGRESS, and EXPORTS_A_DAY of the day in UTC."""
        ...


class AnalyticsUnit(Protocol):
    """One transaction; leaving it without commit() undoes it."""

    reports: Reports
    exports: Exports
    quotas: ExportCounter

    async def commit(self) -> None: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


NewAnalyticsUnit = Callable[[str], AnalyticsUnit]
"""Returns a unit for an organization's id."""


class DueExports(Protocol):
    """What is to be done, across organizations."""

    async def next(self, now: datetime) -> tuple[str, str] | None:
        """Returns the organization and the id of the export that has been due for longest."""
        ...


class ReportFile(Protocol):
    """A file that is being written."""

    def write(self, rows: Sequence[Row]) -> None:
        """Raises TooManyRows if the format cannot hold them all."""

    def close(self) -> int:
        """Finishes the file and returns its size in bytes."""
        ...


class ReportFiles(Protocol):
    """Where exports go."""

    def open(self, format: ExportFormat, row: type[Row]) -> AbstractContextManager[ReportFile]:
        """A new file; it is gone when the context is left."""
        ...

    async def put(self, file: ReportFile, organization: str, export: Export) -> None:
        """Puts a closed file to where links lead. Raises Unavailable."""

    async def link(self, organization: str, export: Export) -> str:
        """Returns a link to the file for whoever has it, valid for LINK_VALID."""
        ...

    async def delete(self, organization: str, export: Export) -> None:
        """Deletes the file, if it is there. Raises Unavailable."""
