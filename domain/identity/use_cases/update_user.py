from dataclasses import dataclass

from domain.identity.model import User, UserChanges, check_administrator_remains, check_operator_change
from domain.identity.ports import NewUnit
from domain.identity.use_cases.directory_rights import shown_user
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class UpdateUser:
    new_unit: NewUnit

    async def __call__(self, caller: Caller, user_id: str, changes: UserChanges) -> User:
        async with self.new_unit(caller.organization) as unit:
            administrators = await unit.users.administrators()
            before = await unit.users.get(user_id)
            after = changes.applied_to(before)
            # Also an operator's address: who may change it may have the password reset.
            check_operator_change(caller.roles, before.roles | after.roles, frozenset())
            if before.administers and not after.administers:
                check_administrator_remains(administrators, user_id)
            await unit.users.save(after)
            shown = await shown_user(unit, caller, after)
            await unit.commit()
        return shown
