from dataclasses import dataclass

from domain.scheduler.policies import PolicyChange, PolicyDraft, PolicyVersion, first_answer
from domain.scheduler.ports import NewPolicyUnit
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class CreatePolicy:
    """Keeps a policy for ever, as a draft that decides for nobody yet."""

    new_unit: NewPolicyUnit
    clock: Clock

    async def __call__(self, caller: Caller, request_id: str, draft: PolicyDraft) -> PolicyVersion:
        version = draft.version(self.clock())
        act = f"create {version.id} {version.digest} {version.course} {version.description}"
        async with self.new_unit(caller.organization) as unit:
            await unit.policies.hold()
            if (done := first_answer(await unit.policies.changes_by(request_id), act, version.id)) is not None:
                return (await unit.policies.get(version.id)).standing_at(done)
            await unit.policies.add(version)
            change = PolicyChange(request_id, version.id, act, version.standing, caller.user, version.created_at)
            await unit.policies.save(version, change)
            await unit.commit()
        return version
