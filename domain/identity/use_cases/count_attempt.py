from dataclasses import dataclass

from domain.identity.ports import NewPlatformUnit
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class CountAttempt:
    """Counts an attempt as failed before it is made, so that of a thousand made at once no more than ten are looked at.

    Whoever succeeds forgives the ones counted before.
    """

    new_platform_unit: NewPlatformUnit
    clock: Clock

    async def __call__(self, key: str) -> None:
        """Raises TooManyFailures."""
        async with self.new_platform_unit() as platform:
            now = self.clock()
            throttle = await platform.throttles.get(key)
            throttle.refuse_while_locked(now)
            await platform.throttles.save(throttle.failed(now))
            await platform.commit()

    async def forgive(self, key: str) -> None:
        async with self.new_platform_unit() as platform:
            await platform.throttles.get(key)
            await platform.throttles.clear(key)
            await platform.commit()
