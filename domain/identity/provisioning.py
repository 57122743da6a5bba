"""Users and classes as identity providers see them: resources of SCIM 2.0 (RFC 7643), trees of attributes under their names there."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from domain.identity.classes import Class
from domain.identity.model import User, checked_name, normalised_email
from domain.identity.provisioning_attributes import GROUP, USER, Attribute, InvalidValue, Tree, canonical
from domain.shared.caller import Role
from domain.shared.errors import AlreadyExists, Conflict, InvalidInput, NotFound

PROVISIONED_ROLES = frozenset({Role.LEARNER, Role.TEACHER, Role.AUTHOR, Role.ADMIN})
_LEARNER = frozenset({Role.LEARNER})


class Kind(StrEnum):
    USER = "User"
    GROUP = "Group"

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        return USER if self is Kind.USER else GROUP


class ResourceNotFound(NotFound):
    reason = "RESOURCE_NOT_FOUND"

    def __init__(self, kind: Kind, resource_id: str) -> None:
        super().__init__(f"no {kind} {resource_id}")


class UserNameTaken(AlreadyExists):
    reason = "USER_NAME_TAKEN"

    def __init__(self) -> None:
        super().__init__("another user has this userName")


class ResourceChanged(Conflict):
    reason = "RESOURCE_CHANGED"

    def __init__(self) -> None:
        super().__init__("somebody changed the resource meanwhile: read it again, then repeat with its new version")


@dataclass(frozen=True, slots=True)
class Record:
    """What an identity provider said of a user or a class. `attributes` has no `active`, which the user itself says."""

    kind: Kind
    id: str
    attributes: Mapping[str, Any]
    changed_at: datetime
    removed_at: datetime | None = None

    @property
    def user_name(self) -> str | None:
        name: str | None = self.attributes.get("userName")
        return name

    @property
    def external_id(self) -> str | None:
        external: str | None = self.attributes.get("externalId")
        return external


@dataclass(frozen=True, slots=True)
class GroupRef:
    """A class that a user is in."""

    id: str
    display_name: str


@dataclass(frozen=True, slots=True)
class Resource:
    """`attributes` are all of it, with `id` and `meta`."""

    kind: Kind
    id: str
    attributes: Tree = field(hash=False)

    @property
    def etag(self) -> str:
        """The same for the same attributes."""
        shown = {name: value for name, value in self.attributes.items() if name != "meta"}
        return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()[:32]

    def check_etag(self, etag: str) -> None:
        """Raises ResourceChanged unless it is this one's, or empty."""
        if etag and etag != self.etag:
            raise ResourceChanged


@dataclass(frozen=True, slots=True)
class Listing:
    resources: tuple[Resource, ...]
    total: int


def user_resource(user: User, record: Record | None, groups: Sequence[GroupRef]) -> Resource:
    """What the platform knows goes before what the identity provider said once: people change their names here, too."""
    tree: Tree = {"id": user.id, "userName": user.email or user.id} | dict(record.attributes if record is not None else {})
    tree.pop("displayName", None)
    if user.display_name:
        tree["displayName"] = user.display_name
    tree["active"] = user.active
    _set(tree, "emails", _emails(tree.get("emails", []), user.email))
    _set(tree, "roles", _roles(tree.get("roles", []), user.roles & PROVISIONED_ROLES))
    _set(tree, "groups", [{"value": each.id, "display": each.display_name, "type": "direct"} for each in groups])
    tree["meta"] = _meta(Kind.USER, user.created_at, record)
    return Resource(Kind.USER, user.id, tree)


def group_resource(group: Class, record: Record | None, members: Iterable[str]) -> Resource:
    tree: Tree = {"id": group.id} | dict(record.attributes if record is not None else {})
    tree["displayName"] = group.display_name
    _set(tree, "members", [{"value": each, "type": "User"} for each in sorted(members)])
    tree["meta"] = _meta(Kind.GROUP, group.created_at, record)
    return Resource(Kind.GROUP, group.id, tree)


def checked_tree(kind: Kind, given: Mapping[str, Any]) -> Tree:
    """Returns what of a whole resource is kept, with the address and the name that a user's other attributes stand for.

    Raises InvalidValue.
    """
    tree = canonical(given, kind.attributes)
    if kind is Kind.USER:
        if "emails" not in tree and "@" in tree.get("userName", ""):
            tree["emails"] = [{"value": tree["userName"], "primary": True}]
        name = tree.get("name", {})
        parts = (name.get("givenName", ""), name.get("familyName", ""))
        display = tree.get("displayName") or name.get("formatted") or " ".join(filter(None, parts))
        _set(tree, "displayName", display)
    return tree


def user_from(tree: Tree, user: User) -> User:
    """Returns the user with what a tree says of name, address and roles; OPERATOR is neither given nor taken. Raises InvalidInput."""
    emails = tree.get("emails", [])
    chosen = next((each for each in emails if each.get("primary")), emails[0] if emails else {})
    return replace(
        user,
        display_name=checked_name(tree.get("displayName", ""), "displayName", required=False),
        email=normalised_email(chosen["value"], "emails") if chosen.get("value") else None,
        roles=_roles_in(tree.get("roles", [])) | (user.roles - PROVISIONED_ROLES),
    )


def record_from(kind: Kind, resource_id: str, tree: Tree, now: datetime) -> Record:
    """What the user or the class says itself is not kept twice."""
    elsewhere = {"active", "members"} | {each.name for each in kind.attributes if each.read_only}
    kept = {name: value for name, value in tree.items() if name not in elsewhere}
    return Record(kind, resource_id, kept, now)


def _roles_in(given: Sequence[Mapping[str, Any]]) -> frozenset[Role]:
    """A user without roles is a learner."""
    names = [str(each.get("value", "")).upper() for each in given]
    wrong = [each for each in names if each not in PROVISIONED_ROLES]
    if wrong:
        raise InvalidValue.of("roles", f"must be of {', '.join(sorted(PROVISIONED_ROLES))}, not {wrong[0][:50]!r}")
    return frozenset(map(Role, names)) or _LEARNER


def _emails(kept: Sequence[Mapping[str, Any]], email: str | None) -> list[Tree]:
    """What was given, with the user's present address for the one that it replaced."""
    if email is None:
        return []
    if not kept:
        return [{"value": email, "primary": True}]
    if any(str(each.get("value", "")).strip().lower() == email for each in kept):
        return [dict(each) for each in kept]
    chosen = next((each for each in kept if each.get("primary")), kept[0])
    return [dict(each) | ({"value": email} if each is chosen else {}) for each in kept]


def _roles(kept: Sequence[Mapping[str, Any]], roles: frozenset[Role]) -> list[Tree]:
    """What was given, as far as it is so, and what the user is besides; nothing for a mere learner of whom nothing was said."""
    given = [dict(each) for each in kept if str(each.get("value", "")).upper() in roles]
    said = {str(each["value"]).upper() for each in given}
    if not given and roles == _LEARNER:
        return []
    return given + [{"value": str(each)} for each in sorted(roles) if each not in said]


def _meta(kind: Kind, created_at: datetime, record: Record | None) -> Tree:
    changed = max(created_at, record.changed_at) if record is not None else created_at
    return {"resourceType": str(kind), "created": _moment(created_at), "lastModified": _moment(changed)}


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _set(tree: Tree, name: str, value: Any) -> None:
    """An attribute without a value is absent (RFC 7643, section 2.5)."""
    if value:
        tree[name] = value
    else:
        tree.pop(name, None)


def checked_resource_id(value: str) -> str:
    """What is nobody's id is not looked for."""
    if not 1 <= len(value) <= 128 or not value.isprintable():
        raise InvalidInput.of("id", "must be 1 to 128 printable characters")
    return value
