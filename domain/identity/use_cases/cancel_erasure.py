from dataclasses import dataclass

from domain.identity.events import Notice, SecurityNoticed
from domain.identity.model import UserNotFound
from domain.identity.ports import NewUnit
from domain.identity.privacy import PrivacyJob, PrivacyJobNotFound
from domain.identity.use_cases.privacy_rights import check_may_erase
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class CancelErasure:
    new_unit: NewUnit
    clock: Clock

    async def __call__(self, caller: Caller, job_id: str) -> PrivacyJob:
        """Raises PrivacyJobNotFound, also for another person's; ErasureNotCancellable."""
        now = self.clock()
        async with self.new_unit(caller.organization) as unit:
            job = await unit.privacy_jobs.get(job_id)
            try:
                check_may_erase(caller, job.user)
            except UserNotFound:
                raise PrivacyJobNotFound(job_id) from None
            cancelled = job.cancelled(now)
            await unit.privacy_jobs.save(cancelled)
            await unit.events.add([SecurityNoticed(job.user, now, Notice.ERASURE_CANCELLED)])
            await unit.commit()
        return cancelled
