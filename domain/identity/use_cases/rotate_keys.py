from dataclasses import dataclass

from domain.identity.ports import NewPlatformUnit, NewUnit
from domain.identity.sealing import MOST_AT_ONCE


@dataclass(frozen=True, slots=True)
class Step:
    """What a step did to which organization (empty: there are none), and where the next one goes on; None when everything is done."""

    organization: str
    done: int
    remaining: int
    next: tuple[str, bool] | None


@dataclass(frozen=True, slots=True)
class RotateKeys:
    """Renews the keys of one organization after the other, a batch of rows a step. Everything stays readable meanwhile."""

    new_unit: NewUnit
    new_platform_unit: NewPlatformUnit

    async def __call__(self, place: tuple[str, bool], *, afresh: bool) -> Step:
        """`place` is an organization and whether its keys are renewed already; ("", True) is before the first."""
        organization, begun = place
        if begun and not organization:
            following = await self._after("")
            if following is None:
                return Step("", 0, 0, None)
            organization, begun = following, False
        async with self.new_unit(organization) as unit:
            if not begun:
                await unit.sealing.renew_keys()
            sealed = await unit.sealing.reseal(MOST_AT_ONCE, afresh=afresh)
            await unit.commit()
        # Rows that others hold stay for a later step; when a step finds none but those, whoever holds them seals under the new key.
        if sealed.remaining and sealed.done:
            return Step(organization, sealed.done, sealed.remaining, (organization, True))
        following = await self._after(organization)
        return Step(organization, sealed.done, sealed.remaining, None if following is None else (following, False))

    async def _after(self, organization: str) -> str | None:
        async with self.new_platform_unit() as platform:
            found = await platform.directory.organizations(organization, 1)
        return found[0] if found else None
