from collections.abc import Mapping
from dataclasses import dataclass

from domain.catalog.ports import NewCatalogUnit
from domain.shared.caller import Caller
from domain.shared.plans import Quota


@dataclass(frozen=True, slots=True)
class GetUsage:
    """How much of each quota that the catalog counts the caller's organization uses."""

    new_unit: NewCatalogUnit

    async def __call__(self, caller: Caller) -> Mapping[Quota, int]:
        async with self.new_unit(caller.organization) as unit:
            return {quota: await unit.quotas.used(quota) for quota in (Quota.COURSES, Quota.ITEMS)}
