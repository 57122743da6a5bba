from dataclasses import dataclass

from domain.identity.events import SigningKeyMade
from domain.identity.ports import NewPlatformUnit, TokenSigner
from domain.identity.sessions import KEY_LIFE, KEY_NOTICE, SigningKey
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class RotateSigningKey:
    """Makes the next key when the newest is 30 days old (or `at_once`), and forgets those whose tokens have all expired.

    The new key is listed at once and signs ten minutes later, when every verifier has seen it.
    """

    new_platform_unit: NewPlatformUnit
    signer: TokenSigner
    clock: Clock

    async def __call__(self, *, at_once: bool = False) -> SigningKey | None:
        """Returns the new key; None if it is not time for one."""
        now = self.clock()
        async with self.new_platform_unit() as unit:
            await unit.signing_keys.lock()
            keys = await unit.signing_keys.all()
            newest = max((key.not_before for key in keys), default=None)
            if newest is not None and not at_once and now - newest < KEY_LIFE:
                return None
            fresh = self.signer.new_key(not_before=now + KEY_NOTICE if keys else now)
            for key in keys:
                await unit.signing_keys.save(key.superseded_by(fresh))
            await unit.signing_keys.save(fresh)
            await unit.signing_keys.forget_retired(now)
            await unit.events.add([SigningKeyMade(fresh.kid, now, fresh.not_before)])
            await unit.commit()
        return fresh
