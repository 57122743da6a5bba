from dataclasses import dataclass, replace

from domain.identity.events import PlanChanged
from domain.identity.model import Organization
from domain.identity.ports import NewUnit
from domain.shared.clock import Clock
from domain.shared.plans import Plan


@dataclass(frozen=True, slots=True)
class SetPlan:
    """Gives an organization a plan: any organization, for it is operators who do it. What it has beyond a smaller one stays."""

    new_unit: NewUnit
    clock: Clock

    async def __call__(self, organization_id: str, plan: Plan) -> Organization:
        """Raises OrganizationNotFound."""
        async with self.new_unit(organization_id) as unit:
            before = await unit.organizations.get()
            if before.plan is plan:
                return before
            after = replace(before, plan=plan, revision=before.revision + 1)
            await unit.organizations.save(after)
            await unit.events.add([PlanChanged(self.clock(), plan, before.plan)])
            await unit.commit()
        return after
