from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from domain.identity.events import revocations
from domain.identity.mail import Template, tell
from domain.identity.model import Account
from domain.identity.passwords import check_strength
from domain.identity.ports import NewUnit, PasswordHasher
from domain.identity.sessions import Credentials, check_given_password
from domain.identity.step_up import SignedIn
from domain.identity.use_cases.hash_new_password import hash_new_password
from domain.identity.use_cases.prove_password import ProvePassword
from domain.shared.clock import Clock
from domain.shared.errors import InvalidInput

_WRONG = "is not the password in force"


@dataclass(frozen=True, slots=True)
class ChangePassword:
    """Guessing the current password with a stolen access token is throttled like guessing at sign-in.

    The current password is proof enough for an account that has nothing else; one with a second factor needs a fresh proof of that.
    """

    new_unit: NewUnit
    prove_password: ProvePassword
    passwords: PasswordHasher
    clock: Clock

    async def __call__(self, me: SignedIn, current: str, new: str) -> None:
        """Ends every session of the caller's but theirs."""
        await (await self.prepare(me, current, new))()

    async def prepare(self, me: SignedIn, current: str, new: str) -> Callable[[], Awaitable[None]]:
        """Proves the current password and hashes the new one, and returns what is left to do."""
        check_given_password(current, "current_password")
        check_strength(new, "new_password", me.user, me.organization)
        async with self.new_unit(me.organization) as unit:
            if (await unit.factors.of(me.user)).second:
                me.check_stepped_up(self.clock(), second_factor=True)
        account = await self.prove_password(Credentials(me.organization, me.user, current))
        if account is None:
            raise InvalidInput.of("current_password", _WRONG)
        personal = (me.user, me.organization, account.user.email or "", account.user.display_name)
        password_hash = await hash_new_password(self.passwords, new, "new_password", *personal)
        return partial(self._change, me, account, password_hash)

    async def _change(self, me: SignedIn, proved: Account, password_hash: str) -> None:
        now = self.clock()
        async with self.new_unit(me.organization) as unit:
            user = await unit.users.get(me.user)
            account = await unit.accounts.find(me.user)
            if account is None or account.usable_hash != proved.password_hash:  # of two changes at once, one comes second
                raise InvalidInput.of("current_password", _WRONG)
            await unit.accounts.set_password(me.user, password_hash, now)
            ended = await unit.sessions.end_all(me.user, but=me.session)
            await unit.events.add(revocations(me.user, ended, now))
            await tell(unit.mails, user, Template.PASSWORD_CHANGED)
            await unit.commit()
