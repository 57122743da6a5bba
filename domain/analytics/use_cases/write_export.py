import asyncio
from dataclasses import dataclass, replace
from datetime import datetime

from domain.analytics.exports import LEASE, MOST_TRIES, Export, ExportLost, ExportState, TooManyRows
from domain.analytics.ports import DueExports, NewAnalyticsUnit, ReportFile, ReportFiles
from domain.analytics.reports import ROWS
from domain.shared.clock import Clock
from domain.shared.errors import Unavailable
from domain.shared.page import PageRequest

_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class WriteExport:
    """Does what is due longest: writes an export to its file, or deletes a file whose time is over.

    Rows are read in one transaction of `new_snapshot`, so that all are of one moment. A writer that dies leaves its export due again after
    its lease; what cannot be written in MOST_TRIES has failed.
    """

    new_unit: NewAnalyticsUnit
    new_snapshot: NewAnalyticsUnit
    due: DueExports
    files: ReportFiles
    clock: Clock

    async def __call__(self) -> bool:
        """Returns whether there was anything to do."""
        now = self.clock()
        if (found := await self.due.next(now)) is None:
            return False
        organization, export_id = found
        async with self.new_unit(organization) as unit:
            export = await unit.exports.take(export_id, now)
            if export is None:
                return True  # somebody else has it
            if export.state is ExportState.SUCCEEDED:
                await self.files.delete(organization, export)
                await unit.exports.save(export.expired(), None)
                await unit.commit()
                return True
            if export.tries >= MOST_TRIES:
                await unit.exports.save(export.failed(f"not written in {MOST_TRIES} tries", now), None)
                await unit.commit()
                return True
            taken = export.taken()
            await unit.exports.save(taken, now + LEASE)
            await unit.commit()
        await self._write(organization, taken)
        return True

    async def _write(self, organization: str, export: Export) -> None:
        try:
            with self.files.open(export.format, ROWS[export.query.kind]) as file:
                rows = await self._fill(file, organization, export)
                size = await asyncio.to_thread(file.close)
                await self.files.put(file, organization, export)
            done = export.succeeded(rows, size, self.clock())
            await self._save(organization, done, done.expires_at)
        except TooManyRows as error:
            await self._save(organization, export.failed(str(error), self.clock()), None)
        except ExportLost:
            return
        except (Unavailable, OSError) as error:
            await self._save(
                organization, replace(export, state=ExportState.PENDING, error=str(error)[:500]), self.clock() + LEASE / 4
            )

    async def _fill(self, file: ReportFile, organization: str, export: Export) -> int:
        rows = 0
        after: tuple[str, ...] | None = None
        async with self.new_snapshot(organization) as snapshot:
            while True:
                page = await snapshot.reports.page(export.query, PageRequest(_PAGE, after))
                await asyncio.to_thread(file.write, page.elements)
                rows += len(page.elements)
                if (after := page.next) is None:
                    return rows
                await self._save(organization, replace(export, row_count=rows), self.clock() + LEASE)

    async def _save(self, organization: str, export: Export, due_at: datetime | None) -> None:
        async with self.new_unit(organization) as unit:
            await unit.exports.save(export, due_at)
            await unit.commit()
