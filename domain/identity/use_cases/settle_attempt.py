from dataclasses import dataclass

from domain.identity.ports import NewPlatformUnit
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class SettleAttempt:
    """Counts a wrong password, or forgets failures after a right one. In one transaction with the throttle's last word,
    so that of a thousand guesses sent at once none is answered once the tenth has failed."""

    new_platform_unit: NewPlatformUnit
    clock: Clock

    async def __call__(self, throttle_key: str, *, right: bool) -> None:
        """Raises TooManyFailures."""
        async with self.new_platform_unit() as platform:
            now = self.clock()
            throttle = await platform.throttles.get(throttle_key)
            throttle.refuse_while_locked(now)
            if not right:
                await platform.throttles.save(throttle.failed(now))
            elif throttle.failures:
                await platform.throttles.clear(throttle_key)
            await platform.commit()
