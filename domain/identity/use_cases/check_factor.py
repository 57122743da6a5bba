from dataclasses import dataclass
from datetime import datetime

from domain.identity import recovery, totp
from domain.identity.challenges import (
    ChallengeToken,
    FactorRefused,
    Factors,
    PasskeyProof,
    RecoveryProof,
    SecondProof,
    TotpProof,
)
from domain.identity.credential_ports import UnreadableSecret, Vault
from domain.identity.events import Notice, SecurityNoticed
from domain.identity.mail import Template, tell
from domain.identity.model import User
from domain.identity.passkeys import Passkey, RelyingParty
from domain.identity.ports import IdentityUnit
from domain.identity.step_up import Method
from domain.shared.clock import Clock

_BY_CODE = frozenset({Method.ONE_TIME_CODE})


@dataclass(frozen=True, slots=True)
class CheckFactor:
    """Whether a second factor answers a challenge, inside a unit whose commit spends what was used."""

    vault: Vault
    relying_party: RelyingParty
    clock: Clock

    async def __call__(self, unit: IdentityUnit, token: ChallengeToken, user: User, proof: SecondProof) -> frozenset[Method]:
        """Returns what it proves. Raises FactorRefused. The caller has got the user, so that two with one code take turns."""
        now = self.clock()
        factors = await unit.factors.of(user.id)
        match proof:
            case TotpProof(code):
                await self.totp(unit, token.organization, factors.totp, code, now)
                return _BY_CODE
            case RecoveryProof(code):
                await self._recovery_code(unit, token.organization, user, factors, code, now)
                return _BY_CODE
            case PasskeyProof(credential):
                wanted = self.relying_party.credential_id(credential)
                passkey = next((each for each in factors.passkeys if each.credential_id == wanted), None)
                return await self.passkey(unit, token, passkey, credential, now)

    async def totp(
        self,
        unit: IdentityUnit,
        organization: str,
        factor: totp.TotpFactor | None,
        code: str,
        now: datetime,
        *,
        first: bool = False,
    ) -> None:
        """Spends a code. `first`: it is to confirm that the app has the secret."""
        if factor is None or factor.confirmed is first:
            raise FactorRefused
        try:
            secret = self.vault.open(factor.sealed_secret, f"totp {organization}/{factor.user}")
        except UnreadableSecret:
            raise FactorRefused from None
        step = totp.step_of(secret, code, now)
        if step is None:
            raise FactorRefused
        if step <= factor.last_step:
            raise FactorRefused(Notice.TOTP_REPLAYED)
        await unit.factors.save_totp(factor.used(step, now))

    async def passkey(
        self, unit: IdentityUnit, token: ChallengeToken, passkey: Passkey | None, credential: str, now: datetime
    ) -> frozenset[Method]:
        if passkey is None:
            raise FactorRefused
        assertion = self.relying_party.asserted(credential, token.digest, passkey)
        if assertion is None:
            raise FactorRefused
        if not passkey.counts_on(assertion.sign_count):
            raise FactorRefused(Notice.PASSKEY_COPIED)
        await unit.factors.save_passkey(passkey.used(assertion.sign_count, now))
        return frozenset({Method.KEY, Method.USER_VERIFIED} if assertion.verified_user else {Method.KEY})

    async def _recovery_code(
        self, unit: IdentityUnit, organization: str, user: User, factors: Factors, code: str, now: datetime
    ) -> None:
        digest = self.vault.fingerprint(code, f"recovery {organization}/{user.id}")
        known = next((each for each in factors.recovery_codes if each.digest == digest), None)
        if known is None or not factors.second:
            raise FactorRefused
        if known.used_at is not None:
            raise FactorRefused(Notice.RECOVERY_CODE_REUSED)
        await unit.factors.use_recovery_code(user.id, digest, now)
        await unit.events.add([SecurityNoticed(user.id, now, Notice.RECOVERY_CODE_USED)])
        left = recovery.unused(factors.recovery_codes) - 1
        await tell(unit.mails, user, Template.RECOVERY_CODE_USED, left=str(left))
