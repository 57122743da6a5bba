from dataclasses import dataclass

from domain.identity.model import UserNotFound
from domain.identity.people import Profile
from domain.identity.ports import NewUnit
from domain.identity.use_cases.directory_rights import shown_profile
from domain.identity.use_cases.teaching import sees_user
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetProfile:
    """One's own, or, for a teacher or administrator, that of somebody they see."""

    new_unit: NewUnit

    async def __call__(self, caller: Caller, user_id: str) -> Profile:
        async with self.new_unit(caller.organization) as unit:
            if not await sees_user(unit, caller, user_id):
                raise UserNotFound(f"no user {user_id}")
            return await shown_profile(unit, caller, await unit.profiles.get(user_id))
