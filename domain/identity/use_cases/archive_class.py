from dataclasses import dataclass

from domain.identity.classes import Class
from domain.identity.ports import NewUnit
from domain.identity.use_cases.teaching import tell_of_sight
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class ArchiveClass:
    """Its members stay on record; its teachers see nobody through it any more."""

    new_unit: NewUnit
    clock: Clock

    async def __call__(self, caller: Caller, class_id: str) -> Class:
        now = self.clock()
        async with self.new_unit(caller.organization) as unit:
            archived = (await unit.classes.get(class_id)).archive(now)
            await unit.classes.save(archived)
            await tell_of_sight(unit, await unit.classes.teachers(class_id), now)
            await unit.commit()
        return archived
