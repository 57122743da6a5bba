from dataclasses import dataclass

from domain.identity.events import Notice, SecurityNoticed
from domain.identity.model import check_administrator_remains, check_operator_change
from domain.identity.ports import NewUnit
from domain.identity.privacy import JobKind, PrivacyJob
from domain.identity.step_up import SignedIn
from domain.identity.use_cases.privacy_rights import check_may_erase
from domain.shared.caller import Caller
from domain.shared.clock import Clock
from domain.shared.ids import NewId


@dataclass(frozen=True, slots=True)
class RequestErasure:
    """Starts the grace period. Nothing is lost before it ends, and the person can go on signing in, to cancel it for example."""

    new_unit: NewUnit
    new_id: NewId
    clock: Clock

    async def __call__(self, me: SignedIn, caller: Caller, user_id: str) -> PrivacyJob:
        """Raises StepUpRequired, LastAdministrator."""
        check_may_erase(caller, user_id)
        now = self.clock()
        async with self.new_unit(caller.organization) as unit:
            administrators = await unit.users.administrators()
            user = await unit.users.get(user_id)
            me.check_stepped_up(now, second_factor=(await unit.factors.of(me.user)).second)
            if waiting := await unit.privacy_jobs.open_of(user_id, JobKind.ERASURE):
                return waiting
            check_operator_change(caller.roles, user.roles, frozenset())
            check_administrator_remains(administrators, user_id)
            grace = (await unit.retention.settings()).grace
            job = PrivacyJob(self.new_id(), JobKind.ERASURE, user_id, caller.user, now, now + grace)
            await unit.privacy_jobs.add(job)
            await unit.events.add([SecurityNoticed(user_id, now, Notice.ERASURE_REQUESTED)])
            await unit.commit()
        return job
