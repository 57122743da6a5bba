"""Programs: partners' software that calls by itself, as clients of OAuth 2.0's grant `client_credentials` (RFC 6749, section 4.4)."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from domain.identity.model import PROGRAM_PREFIX, checked_name, is_organization_id
from domain.shared.caller import Role
from domain.shared.errors import (
    AlreadyExists,
    Forbidden,
    InvalidInput,
    LimitReached,
    NotAllowedNow,
    NotFound,
    Unauthenticated,
)
from domain.shared.ids import chosen_id

CONTEXTS = (
    "analytics",
    "assessment",
    "audit",
    "catalog",
    "identity",
    "inference",
    "ingestion",
    "paths",
    "progress",
    "scheduler",
)
"""Those whose rpcs people call."""

SCIM = "scim"
SCOPES = frozenset({f"{context}.{act}" for context in CONTEXTS for act in ("read", "write")} | {SCIM})
PROGRAM_ROLES = frozenset({Role.TEACHER, Role.AUTHOR, Role.ADMIN})

USUAL_OVERLAP = timedelta(days=7)
LONGEST_OVERLAP = timedelta(days=90)
TOKENS_A_MINUTE = 100
ASSERTION_LIFE = timedelta(minutes=10)
"""How far ahead an assertion may expire: for so long its `jti` is remembered."""

ASSERTION_LEEWAY = timedelta(seconds=30)
LONGEST_SECRET = 256
LONGEST_ASSERTION = 8192
_LONGEST_ID = 100
_LONGEST_JTI = 256
_CLIENT_ID = re.compile(r"([a-z][a-z0-9-]{0,62})\.([A-Za-z0-9][A-Za-z0-9._~-]{0,99})")


class ProgramNotFound(NotFound):
    reason = "PROGRAM_NOT_FOUND"

    def __init__(self, program_id: str) -> None:
        super().__init__(f"no program {program_id}")


class ProgramAlreadyExists(AlreadyExists):
    reason = "PROGRAM_ALREADY_EXISTS"


class ProgramDisabled(NotAllowedNow):
    reason = "PROGRAM_DISABLED"


class RoleNotYours(Forbidden):
    reason = "ROLE_NOT_YOURS"

    def __init__(self) -> None:
        super().__init__(
            "a program cannot be more than the administrator who answers for it: leave out the roles you do not have"
        )


class ClientRefused(Unauthenticated):
    """One text for every cause, so that nobody learns which programs there are."""

    reason = "INVALID_CLIENT"

    def __init__(self) -> None:
        super().__init__("the client id, or what proves it, is wrong, expired or used before")


class ScopeRefused(InvalidInput):
    reason = "INVALID_SCOPE"


class SponsorGone(Forbidden):
    reason = "SPONSOR_GONE"

    def __init__(self) -> None:
        super().__init__("nobody with the program's roles answers for it any more: an administrator has to update it")


class TokenOfAnother(InvalidInput):
    reason = "INVALID_GRANT"


class TooManyTokens(LimitReached):
    reason = "TOO_MANY_TOKENS"


class CredentialKind(StrEnum):
    SECRET = "SECRET"  # noqa: S105  # the name of a kind
    PUBLIC_KEY = "PUBLIC_KEY"


@dataclass(frozen=True, slots=True)
class ClientId:
    """`{organization}.{program}`: says whose program it is, for whoever presents it has no token yet."""

    organization: str
    program: str

    def __str__(self) -> str:
        return f"{self.organization}.{self.program}"

    @classmethod
    def parse(cls, text: str) -> "ClientId":
        """Raises ClientRefused if it can be nobody's."""
        parts = _CLIENT_ID.fullmatch(text)
        if parts is None or not is_organization_id(parts[1]):
            raise ClientRefused
        return cls(parts[1], parts[2])

    def digest(self, secret: str) -> bytes:
        """What of a secret is kept. It has 256 random bits and needs no slow hash; the client id in it makes it good for this one only."""
        return hashlib.sha256(f"{self}\0{secret}".encode()).digest()


@dataclass(frozen=True, slots=True)
class Credential:
    """What a program proves itself with: of a secret its digest is kept, of a key the public part, a JSON Web Key as text."""

    id: str
    kind: CredentialKind
    created_at: datetime
    digest: bytes = b""
    public_key: str = ""
    expires_at: datetime | None = None
    last_used_at: datetime | None = None

    def good(self, now: datetime) -> bool:
        return self.expires_at is None or now < self.expires_at

    def opened_by(self, digest: bytes) -> bool:
        return self.kind is CredentialKind.SECRET and hmac.compare_digest(self.digest, digest)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token says of a program: who it is to its partner, and what it may do."""

    client_id: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class IssuedToken:
    access_token: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class ProgramToken:
    """What an access token of ours says; `credential` is what its program had proved itself with."""

    id: str
    client_id: str
    user: str
    scopes: frozenset[str]
    credential: str
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Program:
    """`window` is the minute that tokens are counted in, from its first one, and `issued` how many there were in it."""

    id: str
    display_name: str
    roles: frozenset[Role]
    scopes: frozenset[str]
    sponsor: str
    created_at: datetime
    credentials: tuple[Credential, ...] = ()
    disabled_at: datetime | None = None
    last_used_at: datetime | None = None
    window: datetime | None = None
    issued: int = 0

    @property
    def user(self) -> str:
        """The user id it calls under."""
        return f"{PROGRAM_PREFIX}{self.id}"

    def good_credentials(self, now: datetime) -> tuple[Credential, ...]:
        return tuple(each for each in self.credentials if each.good(now)) if self.disabled_at is None else ()

    def stands_behind(self, token: ProgramToken, now: datetime) -> bool:
        """Whether a token that was issued to it is good: a credential that ended before its time took its tokens with it."""
        return self.disabled_at is None and now < token.expires_at and token.credential in {each.id for each in self.credentials}

    def with_first(self, credential: Credential) -> "Program":
        return replace(self, credentials=(credential,))

    def check_enabled(self) -> None:
        if self.disabled_at is not None:
            raise ProgramDisabled(f"program {self.id} is disabled since {self.disabled_at.isoformat()}: create another one")

    def rotated(self, fresh: Credential, overlap: timedelta, now: datetime) -> tuple["Program", tuple[Credential, ...]]:
        """Returns it with a new credential beside the newest before, which ends after `overlap` at the latest; and those that end now."""
        self.check_enabled()
        live = sorted(self.good_credentials(now), key=lambda each: each.created_at)
        kept = live[-1:] if overlap else []
        ended = tuple(each for each in live if each not in kept)
        until = now + overlap
        kept = [replace(each, expires_at=until if each.expires_at is None else min(until, each.expires_at)) for each in kept]
        return replace(self, credentials=(*kept, fresh)), ended

    def disable(self, now: datetime) -> "Program":
        """It keeps its credentials on record; none is good any more."""
        self.check_enabled()
        return replace(self, disabled_at=now)

    def used(self, credential: Credential, now: datetime) -> "Program":
        """Counts a token. Raises TooManyTokens."""
        begun = self.window
        if begun is None or not begun <= now < begun + timedelta(minutes=1):
            begun, issued = now, 0
        else:
            issued = self.issued
        if issued >= TOKENS_A_MINUTE:
            wait = begun + timedelta(minutes=1) - now
            raise TooManyTokens("a token is good for ten minutes: use it for more than one call", wait)
        credentials = tuple(replace(each, last_used_at=now) if each.id == credential.id else each for each in self.credentials)
        return replace(self, credentials=credentials, last_used_at=now, window=begun, issued=issued + 1)

    def granted(self, asked: Iterable[str]) -> frozenset[str]:
        """Returns the scopes of a token. Raises ScopeRefused for one that the program lacks."""
        wanted = frozenset(asked)
        if not wanted <= self.scopes:
            raise ScopeRefused.of("scopes", "must be among the program's scopes, which its administrator sees and changes")
        return wanted or self.scopes


@dataclass(frozen=True, slots=True)
class ProgramDraft:
    """A program as asked for, or, with `fields`, the changes to one."""

    display_name: str
    roles: frozenset[Role]
    scopes: frozenset[str]
    fields: frozenset[str] = field(default=frozenset({"display_name", "roles", "scopes"}))

    def applied_to(self, program: Program, sponsor: str, sponsor_roles: frozenset[Role]) -> Program:
        """Raises InvalidInput naming the field, RoleNotYours."""
        if "display_name" in self.fields:
            name = checked_name(self.display_name, "program.display_name", required=True)
            program = replace(program, display_name=name)
        if "roles" in self.fields:
            if not self.roles or not self.roles <= PROGRAM_ROLES:
                raise InvalidInput.of("program.roles", "must be one or more of TEACHER, AUTHOR and ADMIN")
            program = replace(program, roles=self.roles)
        if "scopes" in self.fields:
            if not self.scopes or not self.scopes <= SCOPES:
                raise InvalidInput.of("program.scopes", f"must be one or more of {', '.join(sorted(SCOPES))}")
            program = replace(program, scopes=self.scopes)
        if not program.roles <= sponsor_roles:
            raise RoleNotYours
        return replace(program, sponsor=sponsor)


def checked_program_id(value: str) -> str:
    if len(value) > _LONGEST_ID:
        raise InvalidInput.of("program_id", f"must be at most {_LONGEST_ID} characters")
    return chosen_id(value, "program_id")


def checked_overlap(value: timedelta) -> timedelta:
    if not timedelta(0) <= value <= LONGEST_OVERLAP:
        raise InvalidInput.of("overlap", f"must be 0 s to {LONGEST_OVERLAP.days} days")
    return value


@dataclass(frozen=True, slots=True)
class Assertion:
    """What a JWT that a program signed says (RFC 7523, section 3); `audience` may name several."""

    issuer: str
    subject: str
    audience: frozenset[str]
    expires_at: datetime
    not_before: datetime | None
    jti: str

    def check(self, client: ClientId, audiences: frozenset[str], now: datetime) -> None:
        """Raises ClientRefused unless it is meant for us, by this client, now."""
        if self.issuer != str(client) or self.subject != str(client) or self.audience.isdisjoint(audiences):
            raise ClientRefused
        if not now < self.expires_at + ASSERTION_LEEWAY or self.expires_at > now + ASSERTION_LIFE + ASSERTION_LEEWAY:
            raise ClientRefused
        if self.not_before is not None and now < self.not_before - ASSERTION_LEEWAY:
            raise ClientRefused
        if not 1 <= len(self.jti) <= _LONGEST_JTI:
            raise ClientRefused

    @property
    def digest(self) -> bytes:
        """What it is remembered by."""
        return hashlib.sha256(self.jti.encode()).digest()
