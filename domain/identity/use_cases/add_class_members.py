from dataclasses import dataclass

from domain.identity.classes import MOST_MEMBERS, MOST_MEMBERS_AT_ONCE, ClassFull, Member, Part, check_members
from domain.identity.ports import NewUnit
from domain.identity.use_cases.teaching import tell_of_sight
from domain.shared.caller import Caller
from domain.shared.clock import Clock
from domain.shared.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class AddClassMembers:
    """All or none. Who is in the class already keeps the part they have. Returns how many were not in it."""

    new_unit: NewUnit
    clock: Clock

    async def __call__(self, caller: Caller, class_id: str, user_ids: tuple[str, ...], part: Part) -> int:
        if not 1 <= len(user_ids) <= MOST_MEMBERS_AT_ONCE:
            raise InvalidInput.of("users", f"must be 1 to {MOST_MEMBERS_AT_ONCE}")
        now = self.clock()
        async with self.new_unit(caller.organization) as unit:
            (await unit.classes.get(class_id)).check_open()
            check_members(user_ids, {each.id: each for each in await unit.users.find(user_ids)}, part)
            added = await unit.classes.enrol(class_id, [Member(each, part, now) for each in sorted(set(user_ids))])
            if await unit.classes.size(class_id) > MOST_MEMBERS:
                raise ClassFull(class_id)
            if added:
                await tell_of_sight(unit, added if part is Part.TEACHER else await unit.classes.teachers(class_id), now)
            await unit.commit()
        return len(added)
