from dataclasses import dataclass
from datetime import timedelta

from domain.analytics.exports import Export, ExportFormat
from domain.analytics.model import ReportQuery
from domain.analytics.ports import NewAnalyticsUnit
from domain.shared.caller import Caller
from domain.shared.clock import Clock
from domain.shared.ids import NewId
from domain.shared.plans import Quota, check_room, until_tomorrow

_WRITTEN_SOON = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class CreateExport:
    """Asks for a report in a file; a writer takes it from there."""

    new_unit: NewAnalyticsUnit
    clock: Clock
    new_id: NewId

    async def __call__(self, caller: Caller, query: ReportQuery, format: ExportFormat) -> Export:
        """Raises QuotaReached."""
        now = self.clock()
        export = Export(self.new_id(), query, format, caller.user, now)
        async with self.new_unit(caller.organization) as unit:
            await unit.quotas.hold()
            used = await unit.quotas.used(now)
            check_room(caller.plan, Quota.EXPORTS_A_DAY, used[Quota.EXPORTS_A_DAY], retry_after=until_tomorrow(now))
            check_room(caller.plan, Quota.EXPORTS_IN_PROGRESS, used[Quota.EXPORTS_IN_PROGRESS], retry_after=_WRITTEN_SOON)
            await unit.exports.add(export)
            await unit.commit()
        return export
