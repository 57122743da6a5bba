from dataclasses import dataclass

from domain.identity.classes import Member
from domain.identity.ports import NewUnit
from domain.identity.use_cases.teaching import check_class_is_shown
from domain.shared.caller import Caller
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class ListClassMembers:
    new_unit: NewUnit

    async def __call__(self, caller: Caller, class_id: str, request: PageRequest) -> Page[Member]:
        async with self.new_unit(caller.organization) as unit:
            await check_class_is_shown(unit, caller, class_id)
            await unit.classes.get(class_id)
            return await unit.classes.members(class_id, request)
