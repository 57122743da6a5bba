"""The attributes of SCIM's users and groups that are kept, and how values of them must look (RFC 7643, sections 2, 4 and 7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.identity.classes import MOST_MEMBERS
from domain.shared.errors import InvalidInput

Tree = dict[str, Any]
"""Attributes by name: texts, booleans, trees, and lists of trees."""

LONGEST_TEXT = 256
_MOST_ENTRIES = 20
_TRUTH = {"true": True, "false": False}


class InvalidValue(InvalidInput):
    reason = "INVALID_VALUE"


class ReadOnlyAttribute(InvalidInput):
    reason = "READ_ONLY_ATTRIBUTE"


@dataclass(frozen=True, slots=True)
class Attribute:
    """`exact`: upper and lower case differ. `subs` are the attributes of a complex one; one with many values has at most `most` entries,
    told apart, if `keyed`, by their `value` alone. What is `always` there has a value though nobody gives one, and is not removed."""

    name: str
    kind: str = "string"
    many: bool = False
    read_only: bool = False
    required: bool = False
    exact: bool = False
    subs: "tuple[Attribute, ...]" = ()
    most: int = _MOST_ENTRIES
    keyed: bool = False
    always: bool = False

    @property
    def value(self) -> "Attribute | None":
        """What stands for a complex attribute where a plain value is meant."""
        return attribute_named("value", self.subs)


def attribute_named(name: str, among: Sequence[Attribute]) -> Attribute | None:
    """Names are the same in upper and lower case (section 2.1)."""
    return next((each for each in among if each.name.lower() == name.lower()), None)


_ID = Attribute("id", read_only=True, exact=True)
_EXTERNAL_ID = Attribute("externalId", exact=True)
_META = Attribute(
    "meta",
    "complex",
    read_only=True,
    subs=(
        Attribute("resourceType", exact=True),
        Attribute("created", "dateTime"),
        Attribute("lastModified", "dateTime"),
        Attribute("location", exact=True),
        Attribute("version", exact=True),
    ),
)
_PRIMARY = Attribute("primary", "boolean")

USER = (
    _ID,
    _EXTERNAL_ID,
    Attribute("userName", required=True),
    Attribute(
        "name",
        "complex",
        subs=tuple(map(Attribute, ("formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix"))),
    ),
    Attribute("displayName"),
    Attribute("active", "boolean", always=True),
    Attribute("emails", "complex", many=True, subs=(Attribute("value"), Attribute("type"), _PRIMARY)),
    Attribute("roles", "complex", many=True, subs=(Attribute("value"), Attribute("type"), Attribute("display"), _PRIMARY)),
    Attribute(
        "groups",
        "complex",
        many=True,
        read_only=True,
        subs=(Attribute("value", exact=True), Attribute("$ref", exact=True), Attribute("display"), Attribute("type")),
    ),
    _META,
)
GROUP = (
    _ID,
    _EXTERNAL_ID,
    Attribute("displayName", required=True),
    Attribute(
        "members",
        "complex",
        many=True,
        subs=(Attribute("value", exact=True), Attribute("$ref", exact=True), Attribute("type")),
        most=MOST_MEMBERS,
        keyed=True,
    ),
    _META,
)

NOT_KEPT = frozenset(
    each.lower()
    for each in (
        "addresses",
        "entitlements",
        "ims",
        "locale",
        "nickName",
        "password",
        "phoneNumbers",
        "photos",
        "preferredLanguage",
        "profileUrl",
        "schemas",
        "timezone",
        "title",
        "userType",
        "x509Certificates",
    )
)
"""What the standard's schema of a user has besides: taken without complaint and not kept, for the platform has no use for it."""


def canonical(given: Mapping[str, Any], among: Sequence[Attribute]) -> Tree:
    """Returns the attributes that may be written, under their own names. Raises InvalidValue naming the first at fault."""
    tree: Tree = {}
    for name, value in given.items():
        attribute = attribute_named(name, among)
        if attribute is not None and not attribute.read_only:
            tree.pop(attribute.name, None)
            if (kept := canonical_value(value, attribute, attribute.name)) is not None:
                tree[attribute.name] = kept
    for attribute in among:
        if attribute.required and attribute.name not in tree:
            raise InvalidValue.of(attribute.name, "is required")
    return tree


def canonical_value(value: Any, attribute: Attribute, field: str) -> Any:
    """Returns the value as it is kept; None for what stands for no value: null, an empty list, an empty object."""
    if value is None or value in ([], {}):
        return None
    if attribute.many:
        return _entries(value if isinstance(value, list) else [value], attribute, field)
    return _single(value, attribute, field)


def with_one_primary(entries: Sequence[Tree], newest: Sequence[Tree]) -> list[Tree]:
    """Of many primary ones, the newest is it (RFC 7644, section 3.5.2)."""
    chosen = next((each for each in reversed(newest) if each.get("primary")), None)
    return [
        each if chosen is None or each is chosen or not each.get("primary") else each | {"primary": False} for each in entries
    ]


def _entries(values: Sequence[Any], attribute: Attribute, field: str) -> list[Tree] | None:
    if len(values) > attribute.most:
        raise InvalidValue.of(field, f"must have at most {attribute.most} entries")
    # Some clients send plain texts for entries that have nothing but a value.
    trees = [
        _single({"value": each} if isinstance(each, str) else each, attribute, f"{field}[{at}]") for at, each in enumerate(values)
    ]
    kept = [each for each in trees if each]
    return with_one_primary(kept, kept) or None


def _single(value: Any, attribute: Attribute, field: str) -> Any:
    if attribute.kind == "complex":
        if not isinstance(value, Mapping):
            raise InvalidValue.of(field, "must be an object")
        return canonical(value, attribute.subs) or None
    if attribute.kind == "boolean":
        # Microsoft Entra ID writes booleans as "True" and "False".
        truth = _TRUTH.get(value.lower()) if isinstance(value, str) else value
        if not isinstance(truth, bool):
            raise InvalidValue.of(field, "must be true or false")
        return truth
    if not isinstance(value, str):
        raise InvalidValue.of(field, "must be a string")
    if len(value) > LONGEST_TEXT or not value.isprintable():
        raise InvalidValue.of(field, f"must be at most {LONGEST_TEXT} printable characters")
    return value or None
