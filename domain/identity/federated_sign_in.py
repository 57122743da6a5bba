"""A sign-in at somebody else's: what is remembered on the way there, back, and until both sides' sessions end."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.identity.model import is_organization_id
from domain.shared.errors import AlreadyExists, InvalidInput, NotAllowedNow, NotFound, Unauthenticated

FLOW_LIFE = timedelta(minutes=10)
PENDING_LINK_LIFE = timedelta(minutes=10)
LOGOUT_TOKEN_REMEMBERED = timedelta(minutes=15)
"""Longer than a logout token is accepted after it was issued."""

_LONGEST_TOKEN = 256
_SHORTEST_BROWSER, _LONGEST_BROWSER = 32, 256


class FederationRefused(Unauthenticated):
    """One text for every cause: what the provider sent, or who brought it, was not right. The log has the cause."""

    reason = "FEDERATED_SIGN_IN_REFUSED"

    def __init__(self) -> None:
        super().__init__(
            "signing in there did not work, or took longer than ten minutes, or began in another browser: begin again"
        )


class PendingLinkRefused(NotAllowedNow):
    reason = "LINK_REFUSED"

    def __init__(self) -> None:
        super().__init__("it was used already or has expired: begin again with the provider")


class IdentityTaken(AlreadyExists):
    reason = "IDENTITY_TAKEN"


class IdentityNotLinked(NotFound):
    reason = "IDENTITY_NOT_LINKED"

    def __init__(self) -> None:
        super().__init__("you are not connected with this provider")


class LastWayIn(NotAllowedNow):
    reason = "LAST_WAY_IN"

    def __init__(self) -> None:
        super().__init__("nothing would be left to sign in with: set a password or add a passkey first")


@dataclass(frozen=True, slots=True)
class FederationToken:
    """`{organization}.{secret}`: a `state`, or a link to be made. Only its SHA-256 is kept: its secret has 256 random bits."""

    organization: str
    secret: str

    def __str__(self) -> str:
        return f"{self.organization}.{self.secret}"

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(str(self).encode()).digest()

    @classmethod
    def parse(cls, text: str, field: str, refusal: type[Exception]) -> "FederationToken":
        """Raises InvalidInput if there is none, `refusal` if it is none of ours."""
        if not 1 <= len(text) <= _LONGEST_TOKEN:
            raise InvalidInput.of(field, f"must be 1 to {_LONGEST_TOKEN} characters")
        organization, _, secret = text.partition(".")
        if not is_organization_id(organization) or not secret:
            raise refusal()
        return cls(organization, secret)


@dataclass(frozen=True, slots=True)
class Flow:
    """A browser on its way to a provider. `browser` is the digest of the secret that only this browser has."""

    digest: bytes
    provider: str
    browser: bytes
    expires_at: datetime
    fresh: bool = False
    for_linking: bool = False

    def good(self, browser: bytes, now: datetime) -> bool:
        return self.browser == browser and now < self.expires_at


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What a provider is asked. `verifier` stays here until the code is exchanged (PKCE, RFC 7636)."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class FederatedIdentity:
    """A person at a provider who is a user here."""

    provider: str
    subject: str
    user: str
    linked_at: datetime
    last_used_at: datetime


@dataclass(frozen=True, slots=True)
class PendingLink:
    """A person who has signed in at a provider and is still to prove which user they are."""

    digest: bytes
    provider: str
    subject: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class FederatedSession:
    """A session here that began with a session there. `sid` is the provider's name for its own, empty if it gave none."""

    session: str
    provider: str
    subject: str
    sid: str
    user: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class LogoutNotice:
    """What a logout token says has ended: a session there, or all of the person's."""

    token_id: str
    subject: str
    sid: str


def browser_digest(secret: str) -> bytes:
    """What is kept of a browser's secret. Raises InvalidInput."""
    if not _SHORTEST_BROWSER <= len(secret) <= _LONGEST_BROWSER:
        raise InvalidInput.of("browser", f"must be {_SHORTEST_BROWSER} to {_LONGEST_BROWSER} characters")
    return hashlib.sha256(secret.encode()).digest()
