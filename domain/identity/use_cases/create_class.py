from dataclasses import dataclass

from domain.identity.classes import Class
from domain.identity.ports import NewUnit
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class CreateClass:
    new_unit: NewUnit
    clock: Clock

    async def __call__(self, caller: Caller, class_id: str, display_name: str) -> Class:
        new = Class.create(class_id, display_name, self.clock())
        async with self.new_unit(caller.organization) as unit:
            await unit.classes.add(new)
            await unit.commit()
        return new
