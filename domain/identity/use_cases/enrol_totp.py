from collections.abc import Callable
from dataclasses import dataclass

from domain.identity.credential_ports import Vault
from domain.identity.ports import NewUnit
from domain.identity.step_up import SignedIn
from domain.identity.totp import SECRET_BYTES, TotpFactor
from domain.shared.clock import Clock
from domain.shared.errors import NotAllowedNow


class TotpAlreadyEnabled(NotAllowedNow):
    reason = "TOTP_ALREADY_ENABLED"

    def __init__(self) -> None:
        super().__init__("an authenticator app is in use already: disable it first")


@dataclass(frozen=True, slots=True)
class EnrolTotp:
    """Makes the secret of an authenticator app. It counts for nothing until a code of the app confirms it; enrolling again replaces it."""

    new_unit: NewUnit
    vault: Vault
    random_bytes: Callable[[int], bytes]
    clock: Clock

    async def __call__(self, me: SignedIn) -> bytes:
        now = self.clock()
        secret = self.random_bytes(SECRET_BYTES)
        sealed = self.vault.seal(secret, f"totp {me.organization}/{me.user}")
        async with self.new_unit(me.organization) as unit:
            await unit.users.get(me.user)
            factors = await unit.factors.of(me.user)
            me.check_stepped_up(now, second_factor=factors.second)
            if factors.totp is not None and factors.totp.confirmed:
                raise TotpAlreadyEnabled
            await unit.factors.save_totp(TotpFactor(me.user, sealed, now))
            await unit.commit()
        return secret
