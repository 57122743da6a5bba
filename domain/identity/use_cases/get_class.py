from dataclasses import dataclass

from domain.identity.classes import Class
from domain.identity.ports import NewUnit
from domain.identity.use_cases.teaching import check_class_is_shown
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetClass:
    new_unit: NewUnit

    async def __call__(self, caller: Caller, class_id: str) -> Class:
        async with self.new_unit(caller.organization) as unit:
            await check_class_is_shown(unit, caller, class_id)
            return await unit.classes.get(class_id)
