from dataclasses import dataclass

from domain.identity.passwords import check_strength
from domain.identity.ports import NewUnit, PasswordHasher
from domain.identity.sessions import Credentials, check_given_password
from domain.identity.use_cases.prove_password import ProvePassword
from domain.shared.caller import Caller
from domain.shared.clock import Clock
from domain.shared.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class ChangePassword:
    """Guessing the current password with a stolen access token is throttled like guessing at sign-in."""

    new_unit: NewUnit
    prove_password: ProvePassword
    passwords: PasswordHasher
    clock: Clock

    async def __call__(self, caller: Caller, session_id: str | None, current: str, new: str) -> None:
        """Ends every session of the caller's but `session_id`."""
        check_given_password(current, "current_password")
        check_strength(new, "new_password", caller.user, caller.organization)
        account = await self.prove_password(Credentials(caller.organization, caller.user, current))
        if account is None:
            raise InvalidInput.of("current_password", "is not the password in force")
        check_strength(new, "new_password", account.user.email or "")
        password_hash = await self.passwords.hash(new)
        async with self.new_unit(caller.organization) as unit:
            await unit.accounts.set_password(caller.user, password_hash, self.clock())
            await unit.sessions.end_all(caller.user, but=session_id)
            await unit.commit()
