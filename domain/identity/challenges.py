"""Sign-in in two steps: the challenge between them, and what may answer it."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.identity.events import Notice
from domain.identity.model import is_organization_id
from domain.identity.passkeys import Passkey
from domain.identity.recovery import RecoveryCode, unused
from domain.identity.step_up import Method
from domain.identity.totp import TotpFactor
from domain.shared.errors import InvalidInput, Unauthenticated

CHALLENGE_LIFE = timedelta(minutes=5)

_LONGEST_TOKEN = 256
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Kind(StrEnum):
    """What a challenge is for; it is good for nothing else."""

    SIGN_IN = "SIGN_IN"
    PASSKEY_SIGN_IN = "PASSKEY_SIGN_IN"
    STEP_UP = "STEP_UP"
    REGISTER_PASSKEY = "REGISTER_PASSKEY"


class Way(StrEnum):
    """What may answer a challenge."""

    PASSWORD = "PASSWORD"  # noqa: S105  # the name of a way
    TOTP = "TOTP"
    PASSKEY = "PASSKEY"
    RECOVERY_CODE = "RECOVERY_CODE"


class FactorRefused(Unauthenticated):
    """One text for every cause. `notice` is what the account's owner and the auditor are told of it, if anything."""

    reason = "FACTOR_REFUSED"

    def __init__(self, notice: Notice | None = None) -> None:
        super().__init__(
            "the challenge has ended, or the code or passkey does not answer it: begin again, with a code not used before"
        )
        self.notice = notice


@dataclass(frozen=True, slots=True)
class Factors:
    """What an account has besides its password."""

    totp: TotpFactor | None = None
    passkeys: Sequence[Passkey] = ()
    recovery_codes: Sequence[RecoveryCode] = ()

    @property
    def second(self) -> bool:
        """Whether signing in with the password takes a second step."""
        return bool(self.passkeys) or (self.totp is not None and self.totp.confirmed)

    def ways(self) -> tuple[Way, ...]:
        """How a second step can be taken, none if there is none."""
        if not self.second:
            return ()
        found = [Way.PASSKEY] if self.passkeys else []
        if self.totp is not None and self.totp.confirmed:
            found.insert(0, Way.TOTP)
        return (*found, Way.RECOVERY_CODE) if unused(self.recovery_codes) else tuple(found)


@dataclass(frozen=True, slots=True)
class Challenge:
    """A question that one answer ends. `user` is None when the passkey is to say who it is; `session` is the one to be strengthened,
    or what the one to be started is called already."""

    id: str
    kind: Kind
    user: str | None
    expires_at: datetime
    session: str | None = None
    methods: frozenset[Method] = frozenset()
    """Proved before it was put."""

    def open(self, now: datetime) -> bool:
        return now < self.expires_at


@dataclass(frozen=True, slots=True)
class ChallengeToken:
    """`{organization}.{challenge}.{secret}`. Only its digest is kept, which is also the challenge that a passkey signs."""

    organization: str
    challenge: str
    secret: str

    def __str__(self) -> str:
        return f"{self.organization}.{self.challenge}.{self.secret}"

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(str(self).encode()).digest()

    @classmethod
    def parse(cls, text: str) -> "ChallengeToken":
        """Raises InvalidInput if there is none, FactorRefused if it is none of ours."""
        if not 1 <= len(text) <= _LONGEST_TOKEN:
            raise InvalidInput.of("challenge", f"must be 1 to {_LONGEST_TOKEN} characters")
        parts = text.split(".")
        if len(parts) != 3 or not is_organization_id(parts[0]) or not _ID.fullmatch(parts[1]) or not parts[2]:
            raise FactorRefused
        return cls(*parts)


@dataclass(frozen=True, slots=True)
class PutChallenge:
    """A challenge as it is handed out. `credentials` are the ids of the passkeys that may answer."""

    token: ChallengeToken
    ways: tuple[Way, ...]
    expires_at: datetime
    credentials: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class TotpProof:
    code: str


@dataclass(frozen=True, slots=True)
class RecoveryProof:
    code: str


@dataclass(frozen=True, slots=True)
class PasskeyProof:
    credential: str
    """The JSON of the browser's PublicKeyCredential."""


@dataclass(frozen=True, slots=True)
class PasswordProof:
    password: str


SecondProof = TotpProof | RecoveryProof | PasskeyProof
Proof = SecondProof | PasswordProof
