from dataclasses import dataclass

from domain.catalog.model import Skill
from domain.catalog.ports import NewCatalogUnit
from domain.shared.caller import Caller
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class ListSkills:
    new_unit: NewCatalogUnit

    async def __call__(self, caller: Caller, request: PageRequest) -> Page[Skill]:
        async with self.new_unit(caller.organization) as unit:
            return await unit.skills.page(request)
