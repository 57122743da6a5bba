from collections.abc import Sequence
from dataclasses import dataclass

from domain.identity.ports import NewPlatformUnit
from domain.identity.sessions import SigningKey
from domain.identity.use_cases.current_signing_key import CurrentSigningKey
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class ListPublicKeys:
    """Every key whose tokens may be about, or will be soon. There is always one."""

    new_platform_unit: NewPlatformUnit
    current_signing_key: CurrentSigningKey
    clock: Clock

    async def __call__(self) -> Sequence[SigningKey]:
        await self.current_signing_key()
        async with self.new_platform_unit() as unit:
            keys = await unit.signing_keys.all()
        return [key for key in keys if key.listed(self.clock())]
