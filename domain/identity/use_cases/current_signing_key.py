from dataclasses import dataclass

from domain.identity.events import SigningKeyMade
from domain.identity.ports import NewPlatformUnit, TokenSigner
from domain.identity.sessions import SigningKey, signing_key_at
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class CurrentSigningKey:
    """The key that signs now. Makes one when there is none; of many who find none, one makes it."""

    new_platform_unit: NewPlatformUnit
    signer: TokenSigner
    clock: Clock

    async def __call__(self) -> SigningKey:
        now = self.clock()
        async with self.new_platform_unit() as unit:
            key = signing_key_at(filter(self.signer.opens, await unit.signing_keys.all()), now)
            if key is None:
                await unit.signing_keys.lock()
                key = signing_key_at(filter(self.signer.opens, await unit.signing_keys.all()), now)
            if key is None:
                key = self.signer.new_key(not_before=now)
                await unit.signing_keys.save(key)
                await unit.events.add([SigningKeyMade(key.kid, now, key.not_before)])
                await unit.commit()
        return key
