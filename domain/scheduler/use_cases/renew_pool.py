from dataclasses import dataclass

from domain.scheduler.pools import Pools


@dataclass(frozen=True, slots=True)
class RenewPool:
    """Takes over a publication that was just made."""

    pools: Pools

    async def __call__(self, organization: str, course: str, number: int) -> None:
        await self.pools.renew(organization, course, number)
