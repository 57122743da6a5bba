from dataclasses import dataclass

from domain.identity.events import Notice
from domain.identity.step_up import SignedIn
from domain.identity.use_cases.change_factors import ChangeFactors
from domain.shared.errors import NotAllowedNow


class TotpNotEnabled(NotAllowedNow):
    reason = "TOTP_NOT_ENABLED"

    def __init__(self) -> None:
        super().__init__("no authenticator app is in use")


@dataclass(frozen=True, slots=True)
class DisableTotp:
    change: ChangeFactors

    async def __call__(self, me: SignedIn) -> None:
        async with self.change(me, Notice.TOTP_DISABLED) as (unit, factors):
            if factors.totp is None or not factors.totp.confirmed:
                raise TotpNotEnabled
            await unit.factors.drop_totp(me.user)
