import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.identity.model import OrganizationNotFound, is_organization_id
from domain.identity.ports import NewUnit, UsageElsewhere
from domain.shared.caller import Caller, Role
from domain.shared.plans import Plan, Quota, limit_of

_HERE = (Quota.PEOPLE, Quota.CLASSES, Quota.PROGRAMS)


@dataclass(frozen=True, slots=True)
class QuotaUsage:
    """How much of a quota is used. More than its limit when the plan became smaller."""

    quota: Quota
    used: int
    limit: int


@dataclass(frozen=True, slots=True)
class GetUsage:
    """What an organization has and may have, of every quota: the caller's own, or for an operator any."""

    new_unit: NewUnit
    elsewhere: Sequence[UsageElsewhere]

    async def __call__(self, caller: Caller, organization_id: str) -> tuple[Plan, tuple[QuotaUsage, ...]]:
        """Raises OrganizationNotFound, Unavailable when a context that counts is away."""
        own = organization_id == caller.organization
        if not (own or Role.OPERATOR in caller.roles) or not is_organization_id(organization_id):
            raise OrganizationNotFound(f"no organization {organization_id}")
        used: dict[Quota, int] = {}
        async with self.new_unit(organization_id) as unit:
            plan = (await unit.organizations.get()).plan
            for quota in _HERE:
                used[quota] = await unit.quotas.used(quota)
        found: list[Mapping[Quota, int]] = await asyncio.gather(*(each.of(organization_id) for each in self.elsewhere))
        for each in found:
            used.update(each)
        return plan, tuple(QuotaUsage(quota, used[quota], limit_of(quota, plan)) for quota in Quota if quota in used)
