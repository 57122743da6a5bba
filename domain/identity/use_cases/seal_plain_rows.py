from contextlib import suppress
from dataclasses import dataclass

from domain.identity.credential_ports import UnreadableSecret
from domain.identity.ports import NewPlatformUnit, NewUnit
from domain.identity.sealing import MOST_AT_ONCE

_ORGANIZATIONS_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class SealPlainRows:
    """Seals what releases before sealing wrote, and what an interrupted renewal left. Begins anew wherever it was stopped."""

    new_unit: NewUnit
    new_platform_unit: NewPlatformUnit

    async def __call__(self) -> int:
        """Returns how many rows it sealed."""
        done, after = 0, ""
        while True:
            async with self.new_platform_unit() as platform:
                organizations = await platform.directory.organizations(after, _ORGANIZATIONS_AT_ONCE)
            for organization in organizations:
                after = organization
                # One whose key is lost is left as it is; the others go on.
                with suppress(UnreadableSecret):
                    while count := await self._step(organization):
                        done += count
            if len(organizations) < _ORGANIZATIONS_AT_ONCE:
                return done

    async def _step(self, organization: str) -> int:
        async with self.new_unit(organization) as unit:
            sealed = await unit.sealing.reseal(MOST_AT_ONCE, afresh=False)
            await unit.commit()
        return sealed.done
