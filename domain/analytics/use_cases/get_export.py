from dataclasses import dataclass

from domain.analytics.exports import Export, ExportState
from domain.analytics.ports import NewAnalyticsUnit, ReportFiles
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetExport:
    """An export, with a link to its file while that is there; else with an empty one."""

    new_unit: NewAnalyticsUnit
    files: ReportFiles

    async def __call__(self, caller: Caller, export_id: str) -> tuple[Export, str]:
        """Raises ExportNotFound."""
        async with self.new_unit(caller.organization) as unit:
            export = await unit.exports.get(export_id)
        there = export.state is ExportState.SUCCEEDED
        return export, await self.files.link(caller.organization, export) if there else ""
