from dataclasses import dataclass

from domain.identity.events import Notice
from domain.identity.passkeys import own_passkey
from domain.identity.step_up import SignedIn
from domain.identity.use_cases.change_factors import ChangeFactors


@dataclass(frozen=True, slots=True)
class RevokePasskey:
    change: ChangeFactors

    async def __call__(self, me: SignedIn, passkey_id: str) -> None:
        async with self.change(me, Notice.PASSKEY_REVOKED) as (unit, factors):
            await unit.factors.drop_passkey(own_passkey(factors.passkeys, passkey_id).id)
