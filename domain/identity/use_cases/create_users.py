from dataclasses import dataclass

from domain.identity.events import UserCreated
from domain.identity.model import User, UserAlreadyExists, UserDraft, check_operator_change, users_from
from domain.identity.ports import NewUnit
from domain.identity.use_cases.directory_rights import shown_users
from domain.identity.use_cases.room import room_for
from domain.shared.caller import Caller
from domain.shared.clock import Clock
from domain.shared.errors import InvalidInput
from domain.shared.plans import Quota

LARGEST_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class CreateUsers:
    """Many managed users, all or none. Returns one user for each draft, in its order."""

    new_unit: NewUnit
    clock: Clock

    async def __call__(self, caller: Caller, drafts: tuple[UserDraft, ...], *, skip_existing: bool) -> tuple[User, ...]:
        if not 1 <= len(drafts) <= LARGEST_BATCH:
            raise InvalidInput.of("requests", f"must be 1 to {LARGEST_BATCH} users")
        now = self.clock()
        users = users_from(drafts, now)
        for user in users:
            check_operator_change(caller.roles, frozenset(), user.roles)
        async with self.new_unit(caller.organization) as unit:
            room = await room_for(unit, Quota.PEOPLE)
            added = await unit.users.add(users)
            taken = [user.id for user in users if user.id not in added]
            if taken and not skip_existing:
                raise UserAlreadyExists(f"there is a user {taken[0]} already ({len(taken)} of the batch are taken)")
            room.check(len(added))
            standing = {user.id: user for user in await unit.users.find(taken)} if taken else {}
            await unit.events.add([UserCreated(user.id, now) for user in users if user.id in added])
            shown = await shown_users(unit, caller, (standing.get(user.id, user) for user in users))
            await unit.commit()
        return shown
