"""Organizations, their users, and the rules that users and roles obey."""

import re
import unicodedata
from dataclasses import dataclass, field, replace
from datetime import datetime

from domain.identity.directory import DirectoryInformation
from domain.identity.people_settings import OrganizationSettings
from domain.shared.caller import Role
from domain.shared.errors import AlreadyExists, FieldViolation, Forbidden, InvalidInput, NotAllowedNow, NotFound
from domain.shared.ids import chosen_id
from domain.shared.plans import Plan

PLATFORM = "-"
"""Stands for the organization in rows that belong to none: signing keys, sign-in throttles. Never a valid organization id."""

GRANTABLE_ROLES = frozenset({Role.LEARNER, Role.TEACHER, Role.AUTHOR, Role.ADMIN, Role.OPERATOR})

PROGRAM_PREFIX = "program~"
"""What the user id begins with under which a program calls; no person's does."""

_ORGANIZATION_ID = re.compile(r"[a-z][a-z0-9-]{0,62}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LONGEST_NAME = 200
_LONGEST_EMAIL = 254
_EMAIL = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)


class OrganizationNotFound(NotFound):
    reason = "ORGANIZATION_NOT_FOUND"


class OrganizationAlreadyExists(AlreadyExists):
    reason = "ORGANIZATION_ALREADY_EXISTS"


class UserNotFound(NotFound):
    reason = "USER_NOT_FOUND"


class UserAlreadyExists(AlreadyExists):
    reason = "USER_ALREADY_EXISTS"


class EmailTaken(AlreadyExists):
    reason = "EMAIL_TAKEN"


class UserAlreadyDeactivated(NotAllowedNow):
    reason = "USER_ALREADY_DEACTIVATED"


class LastAdministrator(NotAllowedNow):
    reason = "LAST_ADMINISTRATOR"

    def __init__(self, user_id: str) -> None:
        super().__init__(f"user {user_id} is the only active administrator: make another user one first")


class OperatorRoleReserved(Forbidden):
    reason = "OPERATOR_ROLE_RESERVED"

    def __init__(self) -> None:
        super().__init__("only an operator may make, change or deactivate an operator")


@dataclass(frozen=True, slots=True)
class Organization:
    """A tenant. `revision` counts its changes; `plan` is what the operator has given it."""

    id: str
    display_name: str
    founded_at: datetime
    settings: OrganizationSettings = field(default_factory=OrganizationSettings)
    revision: int = 0
    plan: Plan = Plan.STANDARD


@dataclass(frozen=True, slots=True)
class User:
    """A person known to one organization. `email` is normalised; what they prove themselves with is kept apart, in `Account`.

    `directory` is what was chosen about it; None for what the organization has chosen.
    """

    id: str
    display_name: str
    email: str | None
    roles: frozenset[Role]
    created_at: datetime
    deactivated_at: datetime | None = None
    directory: DirectoryInformation | None = None

    @property
    def active(self) -> bool:
        return self.deactivated_at is None

    @property
    def administers(self) -> bool:
        return self.active and Role.ADMIN in self.roles

    def deactivate(self, now: datetime) -> "User":
        if self.deactivated_at is not None:
            raise UserAlreadyDeactivated(f"user {self.id} is deactivated since {self.deactivated_at.isoformat()}")
        return replace(self, deactivated_at=now)

    def reactivate(self) -> "User":
        return replace(self, deactivated_at=None)


@dataclass(frozen=True, slots=True)
class Account:
    """A user with what signs them in. `password_hash` is None for a managed user, who cannot sign in."""

    user: User
    password_hash: str | None

    @property
    def usable_hash(self) -> str | None:
        """What a password is compared with; None if no password opens this account."""
        return self.password_hash if self.user.active else None


@dataclass(frozen=True, slots=True)
class UserDraft:
    """What a new user is made from, as asked for. `field` leads to it in the request: "" or `requests[3]`."""

    id: str
    display_name: str
    email: str | None
    roles: frozenset[Role]
    field: str = ""

    def at(self, name: str) -> str:
        return f"{self.field}.{name}" if self.field else name

    def user(self, now: datetime, id_field: str = "user_id") -> User:
        """Returns the user, or raises InvalidInput naming the field at fault."""
        return User(
            id=checked_user_id(self.id, self.at(id_field)),
            display_name=checked_name(self.display_name, self.at("user.display_name"), required=False),
            email=None if self.email is None else normalised_email(self.email, self.at("user.email")),
            roles=checked_roles(self.roles, self.at("user.roles")),
            created_at=now,
        )


@dataclass(frozen=True, slots=True)
class UserChanges:
    """The fields of a user to change, as `fields` names them; the others are not looked at. An `email` of None removes the address."""

    fields: frozenset[str]
    display_name: str = ""
    email: str | None = None
    roles: frozenset[Role] = frozenset()

    def applied_to(self, user: User) -> User:
        """Raises InvalidInput naming the field at fault."""
        if "display_name" in self.fields:
            user = replace(user, display_name=checked_name(self.display_name, "user.display_name", required=False))
        if "email" in self.fields:
            email = None if self.email is None else normalised_email(self.email, "user.email")
            user = replace(user, email=email)
        if "roles" in self.fields:
            user = replace(user, roles=checked_roles(self.roles, "user.roles"))
        return user


def users_from(drafts: tuple[UserDraft, ...], now: datetime) -> tuple[User, ...]:
    """Returns the users of a batch, or raises InvalidInput naming every field at fault, repeated ids and addresses included."""
    users: list[User] = []
    faults: list[FieldViolation] = []
    ids: set[str] = set()
    emails: set[str] = set()
    for draft in drafts:
        try:
            user = draft.user(now)
        except InvalidInput as error:
            faults.extend(error.violations)
            continue
        if user.id in ids:
            faults.append(FieldViolation(draft.at("user_id"), "occurs twice in the batch"))
        if user.email is not None and user.email in emails:
            faults.append(FieldViolation(draft.at("user.email"), "occurs twice in the batch"))
        ids.add(user.id)
        if user.email is not None:
            emails.add(user.email)
        users.append(user)
    if faults:
        raise InvalidInput(faults)
    return tuple(users)


def is_organization_id(value: str) -> bool:
    return _ORGANIZATION_ID.fullmatch(value) is not None


def checked_user_id(value: str, field: str) -> str:
    """Returns an id that a person may have, or raises InvalidInput."""
    if value.startswith(PROGRAM_PREFIX):
        raise InvalidInput.of(field, f"must not begin with {PROGRAM_PREFIX}, which is how programs are named")
    return chosen_id(value, field)


def checked_organization_id(value: str, field: str) -> str:
    if not is_organization_id(value):
        raise InvalidInput.of(field, "must be 1 to 63 of a-z, 0-9 and '-', beginning with a letter")
    return value


def checked_name(value: str, field: str, *, required: bool) -> str:
    """Returns what to call somebody without blanks around it, or raises InvalidInput."""
    name = value.strip()
    if required and not name:
        raise InvalidInput.of(field, "must not be empty")
    if len(name) > _LONGEST_NAME:
        raise InvalidInput.of(field, f"must be at most {_LONGEST_NAME} characters")
    if _CONTROL.search(name):
        raise InvalidInput.of(field, "must not contain control characters or line breaks")
    return name


def normalised_email(value: str, field: str) -> str:
    """Returns the address in lower case, by which it is unique, or raises InvalidInput.

    Addresses are compared without regard to case although RFC 5321 lets a host tell `Ada@` from `ada@`: none does, and people
    type both. Compatibility forms of letters (NFKC) count as the letters themselves; whatever is not ASCII after that is refused, so that no
    address looks like another one.
    """
    email = unicodedata.normalize("NFKC", value).strip().lower()
    local = email.partition("@")[0]
    if len(email) > _LONGEST_EMAIL or len(local) > 64 or not _EMAIL.fullmatch(email):
        raise InvalidInput.of(field, "must be an e-mail address such as ada@example.org")
    return email


def checked_roles(roles: frozenset[Role], field: str) -> frozenset[Role]:
    if not roles or not roles <= GRANTABLE_ROLES:
        raise InvalidInput.of(field, "must be one or more of LEARNER, TEACHER, AUTHOR and ADMIN")
    return roles


def check_operator_change(by: frozenset[Role], before: frozenset[Role], after: frozenset[Role]) -> None:
    """Raises OperatorRoleReserved if somebody who is no operator would make one or unmake one."""
    if Role.OPERATOR in before ^ after and Role.OPERATOR not in by:
        raise OperatorRoleReserved


def check_administrator_remains(administrators: frozenset[str], leaving: str) -> None:
    """Raises LastAdministrator if `leaving` is the only one of the organization's active administrators."""
    if administrators == {leaving}:
        raise LastAdministrator(leaving)
