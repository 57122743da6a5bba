from dataclasses import dataclass

from domain.identity.model import Account
from domain.identity.ports import NewPlatformUnit, NewUnit, PasswordHasher
from domain.identity.sessions import Credentials, throttle_key
from domain.identity.use_cases.settle_attempt import SettleAttempt
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class ProvePassword:
    """Whether credentials are right, guarded against guessing.

    The throttle is asked twice: before the slow comparison, to refuse cheaply; and after it, in one transaction with the count.
    """

    new_unit: NewUnit
    new_platform_unit: NewPlatformUnit
    passwords: PasswordHasher
    clock: Clock

    async def __call__(self, given: Credentials) -> Account | None:
        """Returns None if they are wrong, for whatever cause, after the same work. Raises TooManyFailures."""
        key = throttle_key(given.organization, given.login)
        async with self.new_platform_unit() as platform:
            (await platform.throttles.peek(key)).refuse_while_locked(self.clock())
        async with self.new_unit(given.organization) as unit:
            account = await unit.accounts.find(given.login)
        right = await self.passwords.verify(given.password, account.usable_hash if account else None)
        await SettleAttempt(self.new_platform_unit, self.clock)(key, right=right)
        return account if right else None
