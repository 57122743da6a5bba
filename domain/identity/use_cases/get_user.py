from dataclasses import dataclass

from domain.identity.model import User, UserNotFound
from domain.identity.ports import NewUnit
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetUser:
    new_unit: NewUnit

    async def __call__(self, caller: Caller, user_id: str) -> User:
        async with self.new_unit(caller.organization) as unit:
            found = await unit.users.find([user_id])
        if not found:
            raise UserNotFound(f"no user {user_id}")
        return found[0]
