from dataclasses import dataclass

from domain.identity.model import Account
from domain.identity.ports import NewPlatformUnit, NewUnit, PasswordHasher
from domain.identity.sessions import Credentials, throttle_key
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class ProvePassword:
    """Whether credentials are right, guarded against guessing.

    The throttle is asked twice: before the slow comparison, to refuse cheaply; and after it, in one transaction with the count,
    so that of a thousand guesses sent at once none is answered once the tenth has failed.
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
        async with self.new_platform_unit() as platform:
            now = self.clock()
            throttle = await platform.throttles.get(key)
            throttle.refuse_while_locked(now)
            if not right:
                await platform.throttles.save(throttle.failed(now))
            elif throttle.failures:
                await platform.throttles.clear(key)
            await platform.commit()
        return account if right else None
