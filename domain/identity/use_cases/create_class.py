from dataclasses import dataclass

from domain.identity.classes import Class
from domain.identity.ports import NewUnit
from domain.identity.use_cases.room import room_for
from domain.shared.caller import Caller
from domain.shared.clock import Clock
from domain.shared.plans import Quota


@dataclass(frozen=True, slots=True)
class CreateClass:
    new_unit: NewUnit
    clock: Clock

    async def __call__(self, caller: Caller, class_id: str, display_name: str) -> Class:
        new = Class.create(class_id, display_name, self.clock())
        async with self.new_unit(caller.organization) as unit:
            room = await room_for(unit, Quota.CLASSES)
            await unit.classes.add(new)
            room.check()
            await unit.commit()
        return new
