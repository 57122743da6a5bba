from dataclasses import dataclass

from domain.identity.classes import Class
from domain.identity.ports import NewUnit
from domain.identity.use_cases.teaching import sees_own_classes_only
from domain.shared.caller import Caller
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class ListClasses:
    new_unit: NewUnit

    async def __call__(self, caller: Caller, request: PageRequest) -> Page[Class]:
        async with self.new_unit(caller.organization) as unit:
            of = caller.user if await sees_own_classes_only(unit, caller) else None
            return await unit.classes.page(request, of)
