from dataclasses import dataclass, field
from datetime import datetime, timedelta

from domain.identity.events import SigningKeyMade
from domain.identity.ports import NewPlatformUnit, TokenSigner
from domain.identity.sessions import SigningKey, signing_key_at
from domain.shared.clock import Clock

_REMEMBERED = timedelta(seconds=30)
"""Well within the minute for which a superseded key is listed beyond its tokens."""


@dataclass(slots=True)
class _Remembered:
    keys: tuple[SigningKey, ...] = ()
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class CurrentSigningKey:
    """The key that signs now. Makes one when there is none; of many who find none, one makes it.

    Remembers the keys for half a minute, for whoever shares it: they change once a month, and every token needs one.
    """

    new_platform_unit: NewPlatformUnit
    signer: TokenSigner
    clock: Clock
    _remembered: _Remembered = field(default_factory=_Remembered, compare=False)

    async def __call__(self) -> SigningKey:
        now = self.clock()
        if self._remembered.until is not None and now < self._remembered.until:
            key = signing_key_at(self._remembered.keys, now)
            if key is not None:
                return key
        async with self.new_platform_unit() as unit:
            keys = tuple(filter(self.signer.opens, await unit.signing_keys.all()))
            key = signing_key_at(keys, now)
            if key is None:
                await unit.signing_keys.lock()
                keys = tuple(filter(self.signer.opens, await unit.signing_keys.all()))
                key = signing_key_at(keys, now)
            if key is None:
                key = self.signer.new_key(not_before=now)
                keys = (key,)
                await unit.signing_keys.save(key)
                await unit.events.add([SigningKeyMade(key.kid, now, key.not_before)])
                await unit.commit()
        self._remembered.keys, self._remembered.until = keys, now + _REMEMBERED
        return key
