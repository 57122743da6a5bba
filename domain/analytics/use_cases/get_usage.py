from collections.abc import Mapping
from dataclasses import dataclass

from domain.analytics.ports import NewAnalyticsUnit
from domain.shared.caller import Caller
from domain.shared.clock import Clock
from domain.shared.plans import Quota


@dataclass(frozen=True, slots=True)
class GetUsage:
    """How much of each quota that reports count the caller's organization uses."""

    new_unit: NewAnalyticsUnit
    clock: Clock

    async def __call__(self, caller: Caller) -> Mapping[Quota, int]:
        async with self.new_unit(caller.organization) as unit:
            return await unit.quotas.used(self.clock())
