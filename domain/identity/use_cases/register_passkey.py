from dataclasses import dataclass

from domain.identity.challenges import ChallengeToken, FactorRefused, Kind
from domain.identity.events import Notice
from domain.identity.model import checked_name
from domain.identity.passkeys import MOST_PASSKEYS, Passkey, PasskeyAlreadyRegistered, RelyingParty, TooManyPasskeys
from domain.identity.step_up import SignedIn
from domain.identity.use_cases.change_factors import ChangeFactors
from domain.identity.use_cases.issue_recovery_codes import IssueRecoveryCodes
from domain.shared.clock import Clock
from domain.shared.ids import NewId


@dataclass(frozen=True, slots=True)
class RegisterPasskey:
    """Adds a key that signed the challenge. Returns it, with recovery codes if it is the account's first second factor."""

    change: ChangeFactors
    relying_party: RelyingParty
    issue_codes: IssueRecoveryCodes
    new_id: NewId
    clock: Clock

    async def __call__(
        self, me: SignedIn, token: ChallengeToken, credential: str, display_name: str
    ) -> tuple[Passkey, tuple[str, ...]]:
        name = checked_name(display_name, "display_name", required=True)
        now = self.clock()
        async with self.change(me, Notice.PASSKEY_REGISTERED) as (unit, factors):
            challenge = await unit.challenges.take(token.challenge, token.digest)
            if challenge is None or challenge.kind is not Kind.REGISTER_PASSKEY or challenge.user != me.user:
                raise FactorRefused
            if not challenge.open(now) or token.organization != me.organization:
                raise FactorRefused
            if len(factors.passkeys) >= MOST_PASSKEYS:
                raise TooManyPasskeys
            made = self.relying_party.registered(credential, token.digest)
            passkey = Passkey(self.new_id(), me.user, made.credential_id, made.public_key, made.sign_count, name, now)
            if not await unit.factors.add_passkey(passkey):
                raise PasskeyAlreadyRegistered
            codes = () if factors.second else await self.issue_codes(unit, me.organization, me.user)
        return passkey, codes
