from dataclasses import dataclass

from domain.identity.events import Notice
from domain.identity.step_up import SignedIn
from domain.identity.use_cases.change_factors import ChangeFactors
from domain.identity.use_cases.issue_recovery_codes import IssueRecoveryCodes
from domain.shared.errors import NotAllowedNow


class NoSecondFactor(NotAllowedNow):
    reason = "NO_SECOND_FACTOR"

    def __init__(self) -> None:
        super().__init__("recovery codes stand in for an authenticator app or a passkey: set one up first")


@dataclass(frozen=True, slots=True)
class RenewRecoveryCodes:
    change: ChangeFactors
    issue_codes: IssueRecoveryCodes

    async def __call__(self, me: SignedIn) -> tuple[str, ...]:
        async with self.change(me, Notice.RECOVERY_CODES_RENEWED) as (unit, factors):
            if not factors.second:
                raise NoSecondFactor
            return await self.issue_codes(unit, me.organization, me.user)
