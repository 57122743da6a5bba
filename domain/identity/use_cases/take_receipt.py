from dataclasses import dataclass

from domain.identity.ports import NewUnit
from domain.identity.privacy import JobKind, JobState, PrivacyJobNotFound, Receipt
from domain.identity.use_cases.assemble_export import AssembleExport
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class TakeReceipt:
    """Notes what a context did. With the last one an erasure is done, and an export's file is put together."""

    new_unit: NewUnit
    assemble: AssembleExport
    clock: Clock

    async def __call__(self, organization: str, job_id: str, receipt: Receipt) -> None:
        now = self.clock()
        async with self.new_unit(organization) as unit:
            try:
                job = (await unit.privacy_jobs.get(job_id)).with_receipt(receipt)
            except PrivacyJobNotFound:
                return  # of an organization that has been restored from before the job
            if job.state is not JobState.RUNNING:
                return
            if job.complete and job.kind is JobKind.ERASURE:
                job = job.erased(now)
            await unit.privacy_jobs.save(job)
            await unit.commit()
        if job.complete and job.kind is JobKind.EXPORT:
            await self.assemble(organization, job)
