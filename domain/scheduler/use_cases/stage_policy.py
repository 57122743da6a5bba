from dataclasses import dataclass

from domain.scheduler.policies import POLICIES, PolicyChange, PolicyVersion, first_answer, must_not_be_built_in
from domain.scheduler.ports import NewPolicyUnit, PolicyBook
from domain.shared.caller import Caller
from domain.shared.clock import Clock
from domain.shared.rollout import Stage


@dataclass(frozen=True, slots=True)
class StageOrder:
    """What to do with a policy; with a `revision`, only while it is the current one."""

    request_id: str
    policy: str
    stage: Stage
    share: float = 0.0
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class StagePolicy:
    """Moves a policy to another stage. What becomes live retires what was live in its scope, in the same transaction."""

    new_unit: NewPolicyUnit
    book: PolicyBook
    clock: Clock

    async def __call__(self, caller: Caller, order: StageOrder) -> PolicyVersion:
        must_not_be_built_in(order.policy)
        act = f"stage {order.policy} {order.stage} {order.share!r} {order.revision}"
        async with self.new_unit(caller.organization) as unit:
            await unit.policies.hold()
            held = await unit.policies.get(order.policy)
            if (done := first_answer(await unit.policies.changes_by(order.request_id), act, held.id)) is not None:
                return held.standing_at(done)
            POLICIES.must_be_at(held, order.revision)
            beside = [each for each in await unit.policies.in_use() if each.course == held.course]
            changed = POLICIES.staging(held, order.stage, order.share, beside)
            for each in changed:
                change = PolicyChange(order.request_id, each.id, act, each.standing, caller.user, self.clock())
                await unit.policies.save(each, change)
            await unit.commit()
        await self.book.renew(caller.organization)
        return changed[-1]
