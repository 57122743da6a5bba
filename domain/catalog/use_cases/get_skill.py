from dataclasses import dataclass

from domain.catalog.model import Skill
from domain.catalog.ports import NewCatalogUnit
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetSkill:
    new_unit: NewCatalogUnit

    async def __call__(self, caller: Caller, skill_id: str) -> Skill:
        async with self.new_unit(caller.organization) as unit:
            return await unit.skills.get(skill_id)
