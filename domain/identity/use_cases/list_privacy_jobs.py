from dataclasses import dataclass

from domain.identity.ports import NewUnit
from domain.identity.privacy import PrivacyJob
from domain.shared.caller import Caller
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class ListPrivacyJobs:
    new_unit: NewUnit

    async def __call__(self, caller: Caller, request: PageRequest) -> Page[PrivacyJob]:
        async with self.new_unit(caller.organization) as unit:
            return await unit.privacy_jobs.page(request)
