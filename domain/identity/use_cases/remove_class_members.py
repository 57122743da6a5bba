from dataclasses import dataclass

from domain.identity.classes import MOST_MEMBERS_AT_ONCE
from domain.identity.ports import NewUnit
from domain.identity.use_cases.teaching import tell_of_sight
from domain.shared.caller import Caller
from domain.shared.clock import Clock
from domain.shared.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class RemoveClassMembers:
    """Who is not in the class is passed over. Returns how many were."""

    new_unit: NewUnit
    clock: Clock

    async def __call__(self, caller: Caller, class_id: str, user_ids: tuple[str, ...]) -> int:
        if not 1 <= len(user_ids) <= MOST_MEMBERS_AT_ONCE:
            raise InvalidInput.of("users", f"must be 1 to {MOST_MEMBERS_AT_ONCE}")
        async with self.new_unit(caller.organization) as unit:
            await unit.classes.get(class_id)
            teachers = await unit.classes.teachers(class_id)
            removed = await unit.classes.withdraw(class_id, user_ids)
            if removed:
                await tell_of_sight(unit, teachers, self.clock())
            await unit.commit()
        return len(removed)
