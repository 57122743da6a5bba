from contextlib import suppress
from dataclasses import dataclass

from domain.identity.events import Notice, PrivacyOrdered, SecurityNoticed, UserDeactivated, revocations
from domain.identity.model import UserNotFound, check_administrator_remains
from domain.identity.ports import NewPlatformUnit, NewUnit
from domain.identity.privacy import IDENTITY, JobKind, JobState, PrivacyJob, Receipt
from domain.identity.privacy_ports import PersonalFiles
from domain.shared.clock import Clock
from domain.shared.errors import NotAllowedNow

_MOST = 20


@dataclass(frozen=True, slots=True)
class CarryOutDueJobs:
    """Begins the erasures whose grace period is over, tells of them a second time a day after their end, for what came late, and removes the
    files of exports that were kept long enough."""

    new_unit: NewUnit
    new_platform_unit: NewPlatformUnit
    files: PersonalFiles
    clock: Clock

    async def __call__(self) -> int:
        """Returns how many it carried out; call again until there are none."""
        async with self.new_platform_unit() as platform:
            due = await platform.directory.due_jobs(self.clock(), _MOST)
        for organization, job_id in due:
            # What is under a legal hold waits until it is released.
            with suppress(NotAllowedNow):
                await self._carry_out(organization, job_id)
        return len(due)

    async def _carry_out(self, organization: str, job_id: str) -> None:
        async with self.new_unit(organization) as unit:
            job = await unit.privacy_jobs.get(job_id)
        if job.kind is JobKind.EXPORT:
            await self._remove(organization, job_id)
        elif job.state is JobState.WAITING:
            await self._erase(organization, job)
        elif job.state is JobState.SUCCEEDED:
            await self._repeat(organization, job_id)

    async def _remove(self, organization: str, job_id: str) -> None:
        await self.files.delete(organization, job_id)
        async with self.new_unit(organization) as unit:
            await unit.privacy_jobs.save((await unit.privacy_jobs.get(job_id)).expired())
            await unit.commit()

    async def _erase(self, organization: str, waiting: PrivacyJob) -> None:
        """One transaction: the person's key is gone if, and only if, every context hears of it."""
        now = self.clock()
        async with self.new_unit(organization) as unit:
            administrators = await unit.users.administrators()
            try:
                await unit.users.get(waiting.user)
                check_administrator_remains(administrators, waiting.user)
            except (UserNotFound, NotAllowedNow):
                # Whoever became the last administrator meanwhile stays; nobody is left to ask, so the job ends.
                await unit.privacy_jobs.save(waiting.cancelled(now))
                await unit.commit()
                return
            job = await unit.privacy_jobs.get(waiting.id)  # after the user, as everybody does
            if job.state is not JobState.WAITING:
                return
            ended = await unit.sessions.end_all(job.user)
            exports = [each for each in await unit.privacy_jobs.of(job.user) if each.kind is JobKind.EXPORT]
            begun = job.begun()
            await unit.privacy_jobs.save(begun)
            records = await unit.persons.erase(job.user, begun.user, now)
            await unit.privacy_jobs.save(begun.with_receipt(Receipt(IDENTITY, now, records)))
            await unit.events.add(
                [
                    UserDeactivated(job.user, now),
                    *revocations(job.user, ended, now),
                    PrivacyOrdered(job.id, job.kind, job.user, begun.user, now),
                    SecurityNoticed(begun.user, now, Notice.PERSON_ERASED),
                ]
            )
            await unit.commit()
        for export in exports:
            await self._remove(organization, export.id)

    async def _repeat(self, organization: str, job_id: str) -> None:
        async with self.new_unit(organization) as unit:
            job = await unit.privacy_jobs.get(job_id)
            # The id may be another person's by now: nothing of theirs is to go.
            if job.subject and not await unit.users.find([job.subject]):
                await unit.events.add([PrivacyOrdered(job.id, job.kind, job.subject, job.user, self.clock())])
            await unit.privacy_jobs.save(job.repeated())
            await unit.commit()
