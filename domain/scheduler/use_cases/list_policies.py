from dataclasses import dataclass

from domain.scheduler.policies import PolicyVersion
from domain.scheduler.ports import NewPolicyUnit
from domain.shared.caller import Caller
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class ListPolicies:
    """Returns the policies that the organization created."""

    new_unit: NewPolicyUnit

    async def __call__(self, caller: Caller, request: PageRequest) -> Page[PolicyVersion]:
        async with self.new_unit(caller.organization) as unit:
            return await unit.policies.page(request)
