from dataclasses import dataclass

from domain.analytics.exports import Export, ExportFormat
from domain.analytics.model import ReportQuery
from domain.analytics.ports import NewAnalyticsUnit
from domain.shared.caller import Caller
from domain.shared.clock import Clock
from domain.shared.ids import NewId


@dataclass(frozen=True, slots=True)
class CreateExport:
    """Asks for a report in a file; a writer takes it from there."""

    new_unit: NewAnalyticsUnit
    clock: Clock
    new_id: NewId

    async def __call__(self, caller: Caller, query: ReportQuery, format: ExportFormat) -> Export:
        export = Export(self.new_id(), query, format, caller.user, self.clock())
        async with self.new_unit(caller.organization) as unit:
            await unit.exports.add(export)
            await unit.commit()
        return export
