from dataclasses import dataclass

from domain.scheduler.policies import PolicyChange, PolicyVersion, built_in
from domain.scheduler.ports import NewPolicyUnit
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetPolicy:
    """Returns a policy, also a built-in one, with the changes of its standing."""

    new_unit: NewPolicyUnit

    async def __call__(self, caller: Caller, policy_id: str) -> tuple[PolicyVersion, list[PolicyChange]]:
        if (version := built_in(policy_id)) is not None:
            return version, []
        async with self.new_unit(caller.organization) as unit:
            return await unit.policies.get(policy_id), await unit.policies.changes(policy_id)
