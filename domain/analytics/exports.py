"""A report in a file, written in the background."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from domain.analytics.model import ReportQuery
from domain.shared.errors import NotFound

KEPT = timedelta(days=7)
LINK_VALID = timedelta(minutes=15)
MOST_TRIES = 3
LEASE = timedelta(minutes=2)
"""How long a writer that tells nothing is believed to be alive."""


class ExportNotFound(NotFound):
    reason = "EXPORT_NOT_FOUND"


class ExportLost(Exception):
    """Another writer has taken the export over."""


class TooManyRows(Exception):
    """The format cannot hold so many rows; names it and the number."""


class ExportFormat(StrEnum):
    CSV = "CSV"
    PARQUET = "PARQUET"
    XLSX = "XLSX"


class ExportState(StrEnum):
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Export:
    """`tries` counts the writers that took it; it changes with each, so that one that was given up cannot write on."""

    id: str
    query: ReportQuery
    format: ExportFormat
    creator: str
    created_at: datetime
    state: ExportState = ExportState.PENDING
    tries: int = 0
    row_count: int = 0
    byte_count: int = 0
    error: str = ""
    finished_at: datetime | None = None
    expires_at: datetime | None = None

    @property
    def object_name(self) -> str:
        """Of the file, within the organization's folder: each try writes a file of its own. It ends as a person would call the file."""
        kind = self.query.kind.lower().replace("_", "-")
        return f"{self.id}/{self.tries}/{self.query.course}-{kind}-{self.created_at:%Y-%m-%d}.{self.format.lower()}"

    def taken(self) -> "Export":
        """The next try; an export that was tried too often has failed."""
        return replace(self, state=ExportState.RUNNING, tries=self.tries + 1, row_count=0)

    def succeeded(self, rows: int, size: int, now: datetime) -> "Export":
        return replace(self, state=ExportState.SUCCEEDED, row_count=rows, byte_count=size, finished_at=now, expires_at=now + KEPT)

    def failed(self, error: str, now: datetime) -> "Export":
        return replace(self, state=ExportState.FAILED, error=error[:500], finished_at=now)

    def expired(self) -> "Export":
        return replace(self, state=ExportState.EXPIRED)
