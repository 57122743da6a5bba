from dataclasses import dataclass

from domain.identity.model import User, UserChanges, check_administrator_remains, check_operator_change
from domain.identity.ports import NewUnit
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class UpdateUser:
    new_unit: NewUnit

    async def __call__(self, caller: Caller, user_id: str, changes: UserChanges) -> User:
        async with self.new_unit(caller.organization) as unit:
            administrators = await unit.users.administrators()
            before = await unit.users.get(user_id)
            after = changes.applied_to(before)
            check_operator_change(caller.roles, before.roles, after.roles)
            if before.administers and not after.administers:
                check_administrator_remains(administrators, user_id)
            await unit.users.save(after)
            await unit.commit()
        return after
