from dataclasses import dataclass

from domain.identity.model import User, UserNotFound
from domain.identity.ports import NewUnit
from domain.identity.use_cases.directory_rights import shown_users
from domain.identity.use_cases.teaching import sees_user
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetUser:
    new_unit: NewUnit

    async def __call__(self, caller: Caller, user_id: str) -> User:
        async with self.new_unit(caller.organization) as unit:
            found = await unit.users.find([user_id]) if await sees_user(unit, caller, user_id) else ()
            found = await shown_users(unit, caller, found)
        if not found:
            raise UserNotFound(f"no user {user_id}")
        return found[0]
