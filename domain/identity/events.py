"""What happened to users, for other contexts to know."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.identity.privacy import JobKind
from domain.shared.plans import Plan


@dataclass(frozen=True, slots=True)
class UserCreated:
    user: str
    at: datetime


@dataclass(frozen=True, slots=True)
class UserDeactivated:
    user: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SessionRevoked:
    """A session ended before its time: every process refuses its access tokens from when it hears of it."""

    user: str
    at: datetime
    session: str = ""


@dataclass(frozen=True, slots=True)
class TokenRevoked:
    """A program's access token ended before its time, and no other of it; it is told as a session of one token."""

    user: str
    at: datetime
    token: str


def revocations(user: str, sessions: Iterable[str], at: datetime) -> list[SessionRevoked]:
    return [SessionRevoked(user, at, session) for session in sessions]


@dataclass(frozen=True, slots=True)
class SightChanged:
    """Whose work a user may see has changed; `user` is "-" when it has for everybody of the organization."""

    user: str
    at: datetime


class Notice(StrEnum):
    """What an account's owner and an auditor want to know of."""

    SIGNED_IN = "SIGNED_IN"
    SIGN_IN_CHALLENGED = "SIGN_IN_CHALLENGED"
    SIGNED_OUT_EVERYWHERE = "SIGNED_OUT_EVERYWHERE"
    PASSWORD_RESET = "PASSWORD_RESET"  # noqa: S105  # the name of an act
    RESET_LINK_REUSED = "RESET_LINK_REUSED"
    EMAIL_VERIFIED = "EMAIL_VERIFIED"
    EMAIL_CHANGED = "EMAIL_CHANGED"
    TOTP_ENABLED = "TOTP_ENABLED"
    TOTP_DISABLED = "TOTP_DISABLED"
    TOTP_REPLAYED = "TOTP_REPLAYED"
    RECOVERY_CODES_RENEWED = "RECOVERY_CODES_RENEWED"
    RECOVERY_CODE_USED = "RECOVERY_CODE_USED"
    RECOVERY_CODE_REUSED = "RECOVERY_CODE_REUSED"
    PASSKEY_REGISTERED = "PASSKEY_REGISTERED"
    PASSKEY_REVOKED = "PASSKEY_REVOKED"
    PASSKEY_COPIED = "PASSKEY_COPIED"
    SECOND_FACTORS_RESET = "SECOND_FACTORS_RESET"
    EXPORT_REQUESTED = "EXPORT_REQUESTED"
    ERASURE_REQUESTED = "ERASURE_REQUESTED"
    ERASURE_CANCELLED = "ERASURE_CANCELLED"
    PERSON_ERASED = "PERSON_ERASED"
    CONSENT_GIVEN = "CONSENT_GIVEN"
    CONSENT_WITHDRAWN = "CONSENT_WITHDRAWN"
    DIRECTORY_WITHHELD = "DIRECTORY_WITHHELD"
    DIRECTORY_SHARED = "DIRECTORY_SHARED"
    IDENTITY_LINKED = "IDENTITY_LINKED"
    IDENTITY_UNLINKED = "IDENTITY_UNLINKED"
    IDENTITY_PROVIDER_ADDED = "IDENTITY_PROVIDER_ADDED"
    IDENTITY_PROVIDER_CHANGED = "IDENTITY_PROVIDER_CHANGED"
    IDENTITY_PROVIDER_REMOVED = "IDENTITY_PROVIDER_REMOVED"
    PROGRAM_CREATED = "PROGRAM_CREATED"
    PROGRAM_CHANGED = "PROGRAM_CHANGED"
    PROGRAM_SECRET_ROTATED = "PROGRAM_SECRET_ROTATED"  # noqa: S105
    PROGRAM_DISABLED = "PROGRAM_DISABLED"


@dataclass(frozen=True, slots=True)
class SecurityNoticed:
    """Something happened to, or was tried with, what a user signs in with."""

    user: str
    at: datetime
    notice: Notice


@dataclass(frozen=True, slots=True)
class SigningKeyMade:
    """Of no organization."""

    key: str
    at: datetime
    signs_from: datetime


@dataclass(frozen=True, slots=True)
class PlanChanged:
    """An operator gave the organization another plan."""

    at: datetime
    plan: Plan
    before: Plan


@dataclass(frozen=True, slots=True)
class PrivacyOrdered:
    """Every context is to do its part of a job: export what it has about a user, or give it to the pseudonym."""

    job: str
    kind: JobKind
    user: str
    pseudonym: str
    at: datetime


IdentityEvent = (
    UserCreated
    | UserDeactivated
    | SessionRevoked
    | TokenRevoked
    | SecurityNoticed
    | SightChanged
    | SigningKeyMade
    | PlanChanged
    | PrivacyOrdered
)
