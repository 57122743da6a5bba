from dataclasses import dataclass

from domain.scheduler.policies import POLICIES, PolicyChange, PolicyVersion, first_answer, must_not_be_built_in
from domain.scheduler.ports import NewPolicyUnit, PolicyBook
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class RollBackPolicy:
    """Retires a live policy and makes the one that it replaced live again. Returns it, and the other one if there was one."""

    new_unit: NewPolicyUnit
    book: PolicyBook
    clock: Clock

    async def __call__(
        self, caller: Caller, request_id: str, policy_id: str, revision: int | None
    ) -> tuple[PolicyVersion, PolicyVersion | None]:
        must_not_be_built_in(policy_id)
        act = f"roll back {policy_id} {revision}"
        async with self.new_unit(caller.organization) as unit:
            await unit.policies.hold()
            held = await unit.policies.get(policy_id)
            before = await unit.policies.get(held.standing.replaced) if held.standing.replaced else None
            done = await unit.policies.changes_by(request_id)
            if (own := first_answer(done, act, held.id)) is not None:
                other = before and first_answer(done, act, before.id)
                return held.standing_at(own), before.standing_at(other) if before and other else None
            POLICIES.must_be_at(held, revision)
            changed = POLICIES.rolling_back(held, before)
            for each in changed:
                await unit.policies.save(each, PolicyChange(request_id, each.id, act, each.standing, caller.user, self.clock()))
            await unit.commit()
        await self.book.renew(caller.organization)
        return changed[0], changed[1] if len(changed) > 1 else None
