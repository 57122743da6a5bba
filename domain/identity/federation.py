"""Identity providers of others: which there are, whom an organization admits from them, and as what."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from urllib.parse import urlsplit

from domain.identity.model import User, checked_name
from domain.shared.caller import Role
from domain.shared.errors import AlreadyExists, InvalidInput, NotAllowedNow, NotFound

MOST_PROVIDERS = 20

_ID = re.compile(r"[a-z][a-z0-9-]{0,62}")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,100}")  # RFC 6749, section 3.3
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_MOST_SCOPES = 20
_MOST_RULES = 50
_MOST_DOMAINS = 50
_LONGEST_TEXT = 200
_LONGEST_SECRET = 1024
_LONGEST_ISSUER = 500
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_MAPPABLE = frozenset({Role.LEARNER, Role.TEACHER, Role.AUTHOR, Role.ADMIN})
_GUARDED = frozenset({Role.ADMIN, Role.OPERATOR})


class ProviderNotFound(NotFound):
    reason = "IDENTITY_PROVIDER_NOT_FOUND"

    def __init__(self, provider: str) -> None:
        super().__init__(f"no identity provider {provider}")


class ProviderAlreadyExists(AlreadyExists):
    reason = "IDENTITY_PROVIDER_ALREADY_EXISTS"


class TooManyProviders(NotAllowedNow):
    reason = "TOO_MANY_IDENTITY_PROVIDERS"

    def __init__(self) -> None:
        super().__init__(f"an organization has at most {MOST_PROVIDERS} identity providers: remove one first")


class NotAdmitted(NotAllowedNow):
    """The provider says who it is; the organization takes no such people."""

    reason = "NOT_ADMITTED"

    def __init__(self) -> None:
        super().__init__("this organization takes nobody from there whom it does not know: ask it for an invitation")


class ProviderKind(StrEnum):
    OPENID = "OPENID"
    GOOGLE = "GOOGLE"
    MICROSOFT = "MICROSOFT"
    GITHUB = "GITHUB"


ISSUERS = {ProviderKind.GOOGLE: "https://accounts.google.com", ProviderKind.GITHUB: "https://github.com"}
"""Where the presets are that have one place for everybody."""

_SCOPES = {ProviderKind.GITHUB: ("read:user", "user:email")}
_MANY_TENANTS = ("common", "organizations", "consumers")


class Provisioning(StrEnum):
    """What becomes of somebody whom the provider knows and the organization does not."""

    NONE = "NONE"
    CREATE = "CREATE"


class Linking(StrEnum):
    """What it takes to connect a person at the provider with a user there is already."""

    PROOF = "PROOF"
    VERIFIED_EMAIL = "VERIFIED_EMAIL"


@dataclass(frozen=True, slots=True)
class RoleRule:
    """`role` for those whose claim is, or contains, `value`. `claim` has dots into objects."""

    claim: str
    value: str
    role: Role


@dataclass(frozen=True, slots=True)
class FederatedPerson:
    """Somebody as a provider describes them. `claims` has those that role rules look at, each as the texts it holds."""

    subject: str
    email: str | None = None
    """Normalised, and only if the provider says that it is verified."""
    display_name: str = ""
    claims: Mapping[str, frozenset[str]] = field(default_factory=dict)
    authenticated_at: datetime | None = None
    """When they proved who they are to the provider; None if it does not say."""
    session: str = ""
    """The provider's name for its session with them (`sid`)."""


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """`sealed_secret` opens in the vault, for the context `secret_context` of its id."""

    id: str
    display_name: str
    kind: ProviderKind
    issuer: str
    client_id: str
    sealed_secret: bytes
    created_at: datetime
    scopes: tuple[str, ...] = ()
    provisioning: Provisioning = Provisioning.NONE
    linking: Linking = Linking.PROOF
    email_domains: tuple[str, ...] = ()
    default_roles: frozenset[Role] = frozenset({Role.LEARNER})
    role_rules: tuple[RoleRule, ...] = ()
    roles_follow: bool = False
    disabled: bool = False

    @property
    def claims(self) -> frozenset[str]:
        """Those that the role rules look at."""
        return frozenset(rule.claim for rule in self.role_rules)

    def asks_for(self) -> tuple[str, ...]:
        """The scopes of an authorization request."""
        asked = self.scopes or _SCOPES.get(self.kind, ("profile", "email"))
        return asked if self.kind is ProviderKind.GITHUB else ("openid", *(each for each in asked if each != "openid"))

    def check_admits(self, person: FederatedPerson) -> None:
        """Raises NotAdmitted unless the person's verified address is at one of the domains, where domains are named."""
        if self.email_domains and (person.email is None or person.email.rpartition("@")[2] not in self.email_domains):
            raise NotAdmitted

    def roles_of(self, person: FederatedPerson) -> frozenset[Role]:
        """By the rules, or the default ones where no rule gives any."""
        found = {rule.role for rule in self.role_rules if rule.value in person.claims.get(rule.claim, ())}
        return frozenset(found) or self.default_roles

    def roles_now(self, user: User, person: FederatedPerson) -> frozenset[Role]:
        """What the user's roles are to be after this sign-in. No provider makes or unmakes an operator."""
        if not self.roles_follow or Role.OPERATOR in user.roles:
            return user.roles
        return self.roles_of(person)

    def links_by_email(self, user: User) -> bool:
        """Whether the provider's word on an address is enough to be this user. Whoever runs something has to prove it."""
        return self.linking is Linking.VERIFIED_EMAIL and user.roles.isdisjoint(_GUARDED)

    def checked(self, *, insecure: bool = False) -> "IdentityProvider":
        """Returns it in normal form, or raises InvalidInput naming the field at fault. `insecure` allows http on this machine."""
        if not _ID.fullmatch(self.id):
            raise InvalidInput.of("identity_provider_id", "must be 1 to 63 of a-z, 0-9 and '-', beginning with a letter")
        at = "identity_provider."
        domains = tuple(sorted({each.strip().lower() for each in self.email_domains}))
        if len(domains) > _MOST_DOMAINS or not all(len(each) <= 253 and _DOMAIN.fullmatch(each) for each in domains):
            raise InvalidInput.of(f"{at}email_domains", f"must be at most {_MOST_DOMAINS} domains such as example.org")
        if len(self.scopes) > _MOST_SCOPES or not all(map(_SCOPE.fullmatch, self.scopes)):
            raise InvalidInput.of(f"{at}scopes", f"must be at most {_MOST_SCOPES} scopes without blanks")
        if not self.default_roles <= _MAPPABLE:
            raise InvalidInput.of(f"{at}default_roles", "must be of LEARNER, TEACHER, AUTHOR and ADMIN")
        _check_rules(self.role_rules, f"{at}role_rules")
        if not self.client_id or len(self.client_id) > _LONGEST_TEXT or not self.client_id.isprintable():
            raise InvalidInput.of(f"{at}client_id", f"must be 1 to {_LONGEST_TEXT} printable characters")
        return replace(
            self,
            display_name=checked_name(self.display_name, f"{at}display_name", required=True),
            issuer=_checked_issuer(self.issuer or ISSUERS.get(self.kind, ""), self.kind, f"{at}issuer", insecure=insecure),
            email_domains=domains,
            default_roles=self.default_roles or frozenset({Role.LEARNER}),
        )


def shown_name(name: str) -> str:
    """What a provider calls somebody, as far as it can be a name here."""
    return " ".join("".join(each if each.isprintable() else " " for each in name).split())[:_LONGEST_TEXT]


def checked_secret(secret: str, field: str) -> str:
    """Returns what can be a client secret, or raises InvalidInput."""
    if not 1 <= len(secret) <= _LONGEST_SECRET or not secret.isascii() or not secret.isprintable():
        raise InvalidInput.of(field, f"must be 1 to {_LONGEST_SECRET} printable ASCII characters")
    return secret


def secret_context(organization: str, provider: str) -> str:
    """What a client secret is bound to while it is sealed."""
    return f"identity provider {organization}/{provider}"


def _check_rules(rules: tuple[RoleRule, ...], field: str) -> None:
    if len(rules) > _MOST_RULES:
        raise InvalidInput.of(field, f"must be at most {_MOST_RULES}")
    for at, rule in enumerate(rules):
        for name, text in (("claim", rule.claim), ("value", rule.value)):
            if not 1 <= len(text) <= _LONGEST_TEXT or not text.isprintable():
                raise InvalidInput.of(f"{field}[{at}].{name}", f"must be 1 to {_LONGEST_TEXT} printable characters")
        if rule.role not in _MAPPABLE:
            raise InvalidInput.of(f"{field}[{at}].role", "must be one of LEARNER, TEACHER, AUTHOR and ADMIN")


def _checked_issuer(issuer: str, kind: ProviderKind, field: str, *, insecure: bool) -> str:
    try:
        parts = urlsplit(issuer)
        usable = bool(parts.hostname) and not (parts.query or parts.fragment or parts.username or parts.password)
        parts.port  # noqa: B018  # raises for one that is no number
    except ValueError:
        usable = False
    if not usable or len(issuer) > _LONGEST_ISSUER or not issuer.isascii() or not issuer.isprintable():
        raise InvalidInput.of(field, "must be the provider's issuer, such as https://login.example.org")
    if parts.scheme != "https" and not (insecure and parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise InvalidInput.of(field, "must begin with https://")
    if kind is ProviderKind.MICROSOFT and parts.path.strip("/").partition("/")[0] in _MANY_TENANTS:
        raise InvalidInput.of(field, "must name one tenant by its id: anybody can have an account in the others")
    return issuer
