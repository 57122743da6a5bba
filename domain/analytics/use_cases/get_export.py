from dataclasses import dataclass

from domain.analytics.exports import Export, ExportNotFound, ExportState
from domain.analytics.model import NOBODY
from domain.analytics.ports import NewAnalyticsUnit, ReportFiles
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetExport:
    """An export, with a link to its file while that is there; else with an empty one. To somebody who sees some learners only, there are no
    exports but their own, and of those none that holds others."""

    new_unit: NewAnalyticsUnit
    files: ReportFiles

    async def __call__(self, caller: Caller, export_id: str, seen: frozenset[str] | None = None) -> tuple[Export, str]:
        """Raises ExportNotFound."""
        async with self.new_unit(caller.organization) as unit:
            export = await unit.exports.get(export_id)
        if seen is not None and (export.creator != caller.user or not seen | {NOBODY} >= set(export.query.learners or ("",))):
            raise ExportNotFound(f"there is no export {export_id}")
        there = export.state is ExportState.SUCCEEDED
        return export, await self.files.link(caller.organization, export) if there else ""
