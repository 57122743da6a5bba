"""Whether there is room for one more."""

from dataclasses import dataclass

from domain.identity.ports import IdentityUnit
from domain.shared.plans import Plan, Quota, check_room


@dataclass(frozen=True, slots=True)
class Room:
    """What there was of something when nobody else could add to it any more."""

    quota: Quota
    plan: Plan
    used: int

    def check(self, more: int = 1) -> None:
        """Raises QuotaReached if there is no room for `more`."""
        check_room(self.plan, self.quota, self.used, more)


async def room_for(unit: IdentityUnit, quota: Quota) -> Room:
    """Keeps others from adding any until the unit ends: to be asked before anything is added or locked."""
    await unit.quotas.hold(quota)
    return Room(quota, await unit.quotas.plan(), await unit.quotas.used(quota))
