from dataclasses import dataclass

from domain.identity.classes import Class
from domain.identity.ports import NewUnit
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class UpdateClass:
    new_unit: NewUnit

    async def __call__(self, caller: Caller, class_id: str, display_name: str) -> Class:
        async with self.new_unit(caller.organization) as unit:
            changed = (await unit.classes.get(class_id)).renamed(display_name)
            await unit.classes.save(changed)
            await unit.commit()
        return changed
