from dataclasses import dataclass, replace

from domain.identity.classes import Member
from domain.identity.ports import NewUnit
from domain.identity.use_cases.directory_rights import withheld_among
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
            page = await unit.classes.members(class_id, request)
            withheld = await withheld_among(unit, [each.user for each in page.elements])
        return replace(page, elements=tuple(replace(each, directory_withheld=each.user in withheld) for each in page.elements))
