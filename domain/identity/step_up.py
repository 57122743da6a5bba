"""How somebody proved who they are, and which acts want a fresh proof."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.shared.errors import NotAllowedNow

STEP_UP_LIFE = timedelta(minutes=10)
"""How long a proof is fresh. It is as long as an access token lives, so a token from sign-in is good for the first of them."""


class Method(StrEnum):
    """Authentication methods, by their names in the claim `amr` (RFC 8176)."""

    PASSWORD = "pwd"  # noqa: S105  # the name of a method
    ONE_TIME_CODE = "otp"
    KEY = "pop"
    USER_VERIFIED = "user"
    MULTIPLE = "mfa"
    FEDERATED = "fed"
    """At an identity provider. RFC 8176 has no name for it; this is the one that Microsoft uses."""


class StepUpRequired(NotAllowedNow):
    reason = "STEP_UP_REQUIRED"

    def __init__(self) -> None:
        super().__init__("prove who you are once more: POST /v1/me:beginStepUp, then repeat this with the token you get")


@dataclass(frozen=True, slots=True)
class Authentication:
    """What the claims `auth_time` and `amr` say."""

    at: datetime
    methods: frozenset[Method]

    def fresh(self, now: datetime) -> bool:
        return now < self.at + STEP_UP_LIFE


def combined(*proofs: Iterable[Method]) -> frozenset[Method]:
    """Returns all methods, with MULTIPLE when they are of two kinds: something known, something owned, something one is.

    A code from an app or from paper is something owned, as a key is; a device that verifies its user adds the second kind by itself.
    Another provider's word counts as a password does, whatever it asked for.
    """
    methods = frozenset(method for proof in proofs for method in proof) - {Method.MULTIPLE}
    kinds = (
        not methods.isdisjoint((Method.PASSWORD, Method.FEDERATED)),
        not methods.isdisjoint((Method.ONE_TIME_CODE, Method.KEY)),
        Method.USER_VERIFIED in methods,
    )
    return methods | {Method.MULTIPLE} if sum(kinds) > 1 else methods


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A caller, with the session and the proof that their access token names; a token that is not identity's names neither."""

    organization: str
    user: str
    session: str | None = None
    authentication: Authentication | None = None

    def session_id(self) -> str:
        """Raises StepUpRequired for a caller without a session: only who signed in here can prove anything here."""
        if self.session is None:
            raise StepUpRequired
        return self.session

    def check_stepped_up(self, now: datetime, *, second_factor: bool) -> None:
        """Raises StepUpRequired unless the proof is fresh, and of two kinds if the account has a second factor."""
        if self.authentication is None or not self.authentication.fresh(now):
            raise StepUpRequired
        if second_factor and Method.MULTIPLE not in self.authentication.methods:
            raise StepUpRequired
