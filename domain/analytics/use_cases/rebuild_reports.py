from dataclasses import dataclass

from domain.analytics.model import Rebuilt
from domain.analytics.ports import NewAnalyticsUnit
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class RebuildReports:
    """Computes the aggregates anew from the attempts and replaces those that are wrong, for all readers at once."""

    new_unit: NewAnalyticsUnit

    async def __call__(self, caller: Caller) -> Rebuilt:
        async with self.new_unit(caller.organization) as unit:
            rebuilt = await unit.reports.rebuild()
            await unit.commit()
        return rebuilt
