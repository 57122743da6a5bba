from dataclasses import dataclass

from domain.identity.challenges import FactorRefused
from domain.identity.events import Notice, SecurityNoticed
from domain.identity.mail import Template, tell
from domain.identity.ports import NewUnit
from domain.identity.sessions import throttle_key
from domain.identity.step_up import SignedIn
from domain.identity.use_cases.check_factor import CheckFactor
from domain.identity.use_cases.count_attempt import CountAttempt
from domain.identity.use_cases.issue_recovery_codes import IssueRecoveryCodes
from domain.shared.clock import Clock
from domain.shared.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class ConfirmTotp:
    """Puts an enrolled authenticator app in use. Returns recovery codes with the account's first second factor, else none."""

    new_unit: NewUnit
    count_attempt: CountAttempt
    check: CheckFactor
    issue_codes: IssueRecoveryCodes
    clock: Clock

    async def __call__(self, me: SignedIn, code: str) -> tuple[str, ...]:
        attempts = throttle_key(me.organization, f"\0second factor\0{me.user}")
        await self.count_attempt(attempts)
        async with self.new_unit(me.organization) as unit:
            now = self.clock()
            user = await unit.users.get(me.user)
            factors = await unit.factors.of(me.user)
            me.check_stepped_up(now, second_factor=factors.second)
            try:
                await self.check.totp(unit, me.organization, factors.totp, code, now, first=True)
            except FactorRefused:
                raise InvalidInput.of("code", "is not the code that the app shows now") from None
            codes = () if factors.second else await self.issue_codes(unit, me.organization, me.user)
            await unit.events.add([SecurityNoticed(me.user, now, Notice.TOTP_ENABLED)])
            await tell(unit.mails, user, Template.SECOND_FACTOR_CHANGED, change=Notice.TOTP_ENABLED)
            await unit.commit()
        await self.count_attempt.forgive(attempts)
        return codes
