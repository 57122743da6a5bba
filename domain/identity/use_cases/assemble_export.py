import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

from domain.identity.export_archive import archive_of
from domain.identity.ports import NewUnit
from domain.identity.privacy import IDENTITY, PARTIES, PrivacyJob, Receipt
from domain.identity.privacy_ports import PersonalFiles
from domain.shared.clock import Clock
from domain.shared.personal_data import part_of


@dataclass(frozen=True, slots=True)
class AssembleExport:
    """Puts an export's file together from the contexts' parts. Doing it again writes the file again."""

    new_unit: NewUnit
    files: PersonalFiles
    clock: Clock

    async def __call__(self, organization: str, job: PrivacyJob) -> None:
        now = self.clock()
        async with self.new_unit(organization) as unit:
            own = await unit.persons.records(job.user)
        parts: dict[str, bytes] = {IDENTITY: part_of(own)}
        for context in sorted(PARTIES - {IDENTITY}):
            parts[context] = await self.files.part(organization, job.id, context)
        receipts = tuple(each for each in job.receipts if each.context != IDENTITY)
        counts: Mapping[str, int] = {name: len(rows) for name, rows in own.items()}
        whole = replace(job, receipts=(Receipt(IDENTITY, now, counts), *receipts))
        archive = await asyncio.to_thread(archive_of, organization, whole, parts, now)
        await self.files.put_archive(organization, job.id, archive)
        async with self.new_unit(organization) as unit:
            done = whole.exported(sha256(archive).hexdigest(), len(archive), now)
            await unit.privacy_jobs.get(job.id)
            await unit.privacy_jobs.save(done)
            await unit.commit()
        await self.files.delete_parts(organization, job.id)
