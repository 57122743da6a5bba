from dataclasses import dataclass

from domain.identity.model import UserNotFound
from domain.identity.ports import NewUnit
from domain.identity.privacy import JobKind, JobState, PrivacyJob, PrivacyJobNotFound
from domain.identity.privacy_ports import PersonalFiles
from domain.identity.use_cases.privacy_rights import check_may_see
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetPrivacyJob:
    """Returns the job, and the link to an export's file or an empty text."""

    new_unit: NewUnit
    files: PersonalFiles

    async def __call__(self, caller: Caller, job_id: str) -> tuple[PrivacyJob, str]:
        """Raises PrivacyJobNotFound, also for who may not see the person's data."""
        async with self.new_unit(caller.organization) as unit:
            job = await unit.privacy_jobs.get(job_id)
            try:
                await check_may_see(unit, caller, job.user)
            except UserNotFound:
                raise PrivacyJobNotFound(job_id) from None
        if job.kind is not JobKind.EXPORT or job.state is not JobState.SUCCEEDED:
            return job, ""
        return job, await self.files.link(caller.organization, job.id)
