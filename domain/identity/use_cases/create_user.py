from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from domain.identity.events import UserCreated
from domain.identity.model import User, UserAlreadyExists, UserDraft, check_operator_change
from domain.identity.ports import NewUnit, PasswordHasher
from domain.identity.use_cases.directory_rights import shown_user
from domain.identity.use_cases.hash_new_password import hash_new_password
from domain.identity.use_cases.room import room_for
from domain.shared.caller import Caller
from domain.shared.clock import Clock
from domain.shared.plans import Quota


@dataclass(frozen=True, slots=True)
class CreateUser:
    """With a password the user can sign in; without one somebody else manages them."""

    new_unit: NewUnit
    passwords: PasswordHasher
    clock: Clock

    async def __call__(self, caller: Caller, draft: UserDraft, password: str | None) -> User:
        return await (await self.prepare(caller, draft, password))()

    async def prepare(self, caller: Caller, draft: UserDraft, password: str | None) -> Callable[[], Awaitable[User]]:
        """Checks and hashes, and returns what is left to do."""
        now = self.clock()
        user = draft.user(now)
        check_operator_change(caller.roles, frozenset(), user.roles)
        password_hash = None
        if password is not None:
            personal = (user.id, user.email or "", user.display_name, caller.organization)
            password_hash = await hash_new_password(self.passwords, password, "password", *personal)
        return partial(self._create, caller, user, password_hash, now)

    async def _create(self, caller: Caller, user: User, password_hash: str | None, now: datetime) -> User:
        async with self.new_unit(caller.organization) as unit:
            room = await room_for(unit, Quota.PEOPLE)
            if not await unit.users.add([user]):
                raise UserAlreadyExists(f"there is a user {user.id} already")
            room.check()
            if password_hash is not None:
                await unit.accounts.set_password(user.id, password_hash, now)
            await unit.events.add([UserCreated(user.id, now)])
            shown = await shown_user(unit, caller, user)
            await unit.commit()
        return shown
