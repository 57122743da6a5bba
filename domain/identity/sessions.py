"""Sign-in, sessions and their refresh tokens, the throttle against guessing, and signing keys."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from domain.identity.model import is_organization_id
from domain.identity.step_up import Authentication, Method
from domain.shared.errors import InvalidInput, LimitReached, NotFound, Unauthenticated

ACCESS_TOKEN_LIFE = timedelta(minutes=10)
SESSION_IDLE_LIFE = timedelta(days=14)
SESSION_LONGEST_LIFE = timedelta(days=90)

FREE_FAILURES = 10
FIRST_LOCK = timedelta(seconds=30)
LONGEST_LOCK = timedelta(hours=1)
FAILURES_FORGOTTEN_AFTER = timedelta(days=1)

KEY_LIFE = timedelta(days=30)
KEY_NOTICE = timedelta(minutes=10)
"""How long a new key is listed before it signs: verifiers look every five minutes."""

_LONGEST_LOGIN = 254
_LONGEST_PASSWORD = 256
_LONGEST_REFRESH_TOKEN = 256
_SESSION_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class SignInRefused(Unauthenticated):
    """One text for every cause, so that nobody learns which accounts there are."""

    reason = "SIGN_IN_REFUSED"

    def __init__(self) -> None:
        super().__init__("the organization, the login or the password is wrong")


class SessionRefused(Unauthenticated):
    """One text for every cause: a thief does not learn that the theft was noticed."""

    reason = "SESSION_REFUSED"

    def __init__(self) -> None:
        super().__init__("the refresh token is not valid (any more): sign in again")


class SessionNotFound(NotFound):
    reason = "SESSION_NOT_FOUND"


class TooManyFailures(LimitReached):
    reason = "TOO_MANY_FAILED_SIGN_INS"

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__("too many failed attempts to sign in: wait, then try again", retry_after)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What somebody claims at sign-in. `login` is a user id or an e-mail address."""

    organization: str
    login: str
    password: str
    device: str = ""
    """What the session is told apart by, such as "Firefox on Linux"."""

    def __post_init__(self) -> None:
        checked_login(self.login, "login")
        check_given_password(self.password, "password")


def checked_login(login: str, field: str) -> str:
    """Returns what can be somebody's login, or raises InvalidInput."""
    if not login or len(login) > _LONGEST_LOGIN or not login.isprintable():
        raise InvalidInput.of(field, f"must be a user id or an e-mail address of at most {_LONGEST_LOGIN} characters")
    return login


def check_given_password(password: str, field: str) -> None:
    """Raises InvalidInput if this cannot be anybody's password. Says nothing of its strength: it may be older than the rules."""
    if not 1 <= len(password) <= _LONGEST_PASSWORD:
        raise InvalidInput.of(field, f"must be 1 to {_LONGEST_PASSWORD} characters")


@dataclass(frozen=True, slots=True)
class SignInThrottle:
    """Failures in a row for one login name, whether or not an account answers to it.

    The first 9 cost nothing; the 10th locks the name for 30 s and every further one for twice as long, up to an hour.
    """

    key: str
    failures: int = 0
    last_failure_at: datetime | None = None
    locked_until: datetime | None = None

    def refuse_while_locked(self, now: datetime) -> None:
        if self.locked_until is not None and now < self.locked_until:
            raise TooManyFailures(self.locked_until - now)

    def failed(self, now: datetime) -> "SignInThrottle":
        forgotten = self.last_failure_at is None or now - self.last_failure_at >= FAILURES_FORGOTTEN_AFTER
        failures = 1 if forgotten else self.failures + 1
        locked_until = None
        if failures >= FREE_FAILURES:
            doublings = min(failures - FREE_FAILURES, 30)
            locked_until = now + min(FIRST_LOCK * 2**doublings, LONGEST_LOCK)
        return SignInThrottle(self.key, failures, now, locked_until)


def throttle_key(organization: str, login: str) -> str:
    """Returns what failures are counted under. A hash: of fixed size, and no address of anybody lies in the table."""
    return hashlib.sha256(f"{organization}\0{login.lower()}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in. It ends 14 days after its last refresh, and 90 days after it began at the latest."""

    id: str
    user: str
    started_at: datetime
    expires_at: datetime
    last_used_at: datetime
    """When it began or was refreshed last."""
    authentication: Authentication
    device: str = ""

    @classmethod
    def start(
        cls,
        session_id: str,
        user: str,
        now: datetime,
        methods: frozenset[Method] = frozenset({Method.PASSWORD}),
        device: str = "",
        authenticated_at: datetime | None = None,
    ) -> "Session":
        """`authenticated_at` is when they proved who they are, if that was not now: somebody else may have asked them earlier."""
        proof = Authentication(min(now, authenticated_at or now), methods)
        return cls(session_id, user, now, now + SESSION_IDLE_LIFE, now, proof, device)

    def lives(self, now: datetime) -> bool:
        return now < self.expires_at

    def renewed(self, now: datetime) -> "Session":
        expires_at = min(now + SESSION_IDLE_LIFE, self.started_at + SESSION_LONGEST_LIFE)
        return replace(self, expires_at=expires_at, last_used_at=now)


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """`{organization}.{session}.{secret}`. Only its SHA-256 is kept: its secret has 256 random bits and needs no slow hash."""

    organization: str
    session: str
    secret: str

    def __str__(self) -> str:
        return f"{self.organization}.{self.session}.{self.secret}"

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(str(self).encode()).digest()

    @classmethod
    def parse(cls, text: str) -> "RefreshToken":
        """Raises InvalidInput if there is none, SessionRefused if it is none of ours."""
        if not 1 <= len(text) <= _LONGEST_REFRESH_TOKEN:
            raise InvalidInput.of("refresh_token", f"must be 1 to {_LONGEST_REFRESH_TOKEN} characters")
        parts = text.split(".")
        if len(parts) != 3 or not is_organization_id(parts[0]) or not _SESSION_ID.fullmatch(parts[1]) or not parts[2]:
            raise SessionRefused
        return cls(*parts)


@dataclass(frozen=True, slots=True)
class PresentedToken:
    """The session a refresh token belongs to, and whether the token has been exchanged already."""

    session: Session
    spent: bool


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a session is used with, as handed out once and kept by nobody."""

    access_token: str
    refresh_token: str
    session: Session


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A point on P-256, coordinates in base64url (RFC 7518, section 6.2)."""

    x: str
    y: str


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair; the private part is sealed, and opens only in the signer.

    It signs from `not_before` until a newer one does, and is listed until `retire_at` (None: no newer one yet).
    """

    kid: str
    public: PublicKey
    sealed_private: bytes
    not_before: datetime
    retire_at: datetime | None = None

    def listed(self, now: datetime) -> bool:
        return self.retire_at is None or now < self.retire_at

    def superseded_by(self, newer: "SigningKey") -> "SigningKey":
        """Stays listed while tokens it may still sign are good, with a minute for clocks that disagree."""
        if self.retire_at is not None:
            return self
        return replace(self, retire_at=newer.not_before + ACCESS_TOKEN_LIFE + timedelta(minutes=1))


def signing_key_at(keys: Iterable[SigningKey], now: datetime) -> SigningKey | None:
    """Returns the key that signs now: the newest that has begun and is still listed; None if there is none."""
    begun = [key for key in keys if key.not_before <= now and key.listed(now)]
    return max(begun, key=lambda key: (key.not_before, key.kid), default=None)
