from dataclasses import dataclass

from domain.identity.events import Notice, PrivacyOrdered, SecurityNoticed
from domain.identity.ports import NewUnit
from domain.identity.privacy import IDENTITY, JobKind, PrivacyJob, Receipt
from domain.identity.use_cases.privacy_rights import check_may_see
from domain.shared.caller import Caller
from domain.shared.clock import Clock
from domain.shared.ids import NewId


@dataclass(frozen=True, slots=True)
class RequestExport:
    """Orders every context's part. Identity's own is read when the file is put together."""

    new_unit: NewUnit
    new_id: NewId
    clock: Clock

    async def __call__(self, caller: Caller, user_id: str) -> PrivacyJob:
        now = self.clock()
        async with self.new_unit(caller.organization) as unit:
            await check_may_see(unit, caller, user_id)
            await unit.users.get(user_id)  # of two who ask at once, one finds the other's job
            if running := await unit.privacy_jobs.open_of(user_id, JobKind.EXPORT):
                return running
            job = PrivacyJob(self.new_id(), JobKind.EXPORT, user_id, caller.user, now, now).begun()
            job = job.with_receipt(Receipt(IDENTITY, now, {}))
            await unit.privacy_jobs.add(job)
            ordered = PrivacyOrdered(job.id, job.kind, user_id, "", now)
            await unit.events.add([ordered, SecurityNoticed(user_id, now, Notice.EXPORT_REQUESTED)])
            await unit.commit()
        return job
