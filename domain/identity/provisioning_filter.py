"""Filters of SCIM 2.0 (RFC 7644, section 3.4.2.2): read by descent, one word ahead and never back, so that the work grows with the length."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.identity.provisioning_attributes import NOT_KEPT, Attribute, Tree, attribute_named
from domain.shared.errors import InvalidInput

LONGEST_FILTER = 2_000
MOST_CONDITIONS = 50
DEEPEST = 16

_WORD = re.compile(r'\s*(?:([()\[\]])|("(?:[^"\\]|\\.)*")|([^\s()\[\]"]+))')
_URN = re.compile(r"urn:ietf:params:scim:schemas:core:2\.0:(?:User|Group)(?::|$)", re.IGNORECASE)
_ORDERED = {"gt", "ge", "lt", "le"}
_OPERATORS = {"eq", "ne", "co", "sw", "ew"} | _ORDERED
_CONSTANTS = {"true": True, "false": False, "null": None}


class InvalidFilter(InvalidInput):
    reason = "INVALID_FILTER"


@dataclass(frozen=True, slots=True)
class Path:
    """An attribute, or one of a complex one's. An `attribute` of None is one that the platform does not keep: it has no value."""

    attribute: Attribute | None
    sub: Attribute | None = None

    @property
    def leaf(self) -> Attribute | None:
        """What a comparison is with; None for nothing, or for a complex attribute without a value of its own."""
        if self.sub is not None or self.attribute is None:
            return self.sub
        return self.attribute.value if self.attribute.kind == "complex" else self.attribute

    def values(self, tree: Tree) -> list[Any]:
        """The values that a tree has here; for a complex attribute without a value of its own, its trees."""
        if self.attribute is None or (found := tree.get(self.attribute.name)) is None:
            return []
        entries = found if isinstance(found, list) else [found]
        leaf = self.leaf
        if self.attribute.kind != "complex" or leaf is None:
            return entries
        return [each[leaf.name] for each in entries if leaf.name in each]


@dataclass(frozen=True, slots=True)
class Compare:
    path: Path
    operator: str
    value: str | bool | None

    def matches(self, tree: Tree) -> bool:
        found = self.path.values(tree)
        if self.operator == "ne":
            return not Compare(self.path, "eq", self.value).matches(tree)
        if self.value is None:
            return not found
        return any(self._holds(each) for each in found)

    def _holds(self, found: Any) -> bool:
        wanted: Any = self.value
        if isinstance(found, bool) or isinstance(wanted, bool):
            return found is wanted
        leaf = self.path.leaf
        if leaf is not None and leaf.kind == "dateTime":
            found, wanted = datetime.fromisoformat(found), datetime.fromisoformat(wanted)
        elif leaf is None or not leaf.exact:
            found, wanted = found.casefold(), wanted.casefold()
        match self.operator:
            case "eq":
                return bool(found == wanted)
            case "co":
                return wanted in found
            case "sw":
                return bool(found.startswith(wanted))
            case "ew":
                return bool(found.endswith(wanted))
            case "gt":
                return bool(found > wanted)
            case "ge":
                return bool(found >= wanted)
            case "lt":
                return bool(found < wanted)
            case _:
                return bool(found <= wanted)


@dataclass(frozen=True, slots=True)
class Present:
    path: Path

    def matches(self, tree: Tree) -> bool:
        return any(each not in ("", {}, []) for each in self.path.values(tree))


@dataclass(frozen=True, slots=True)
class Within:
    """At least one entry of an attribute with many values matches."""

    attribute: Attribute | None
    inner: "Filter"

    def matches(self, tree: Tree) -> bool:
        return self.attribute is not None and any(self.inner.matches(each) for each in entries_of(tree, self.attribute))


@dataclass(frozen=True, slots=True)
class Not:
    inner: "Filter"

    def matches(self, tree: Tree) -> bool:
        return not self.inner.matches(tree)


@dataclass(frozen=True, slots=True)
class All:
    parts: "tuple[Filter, ...]"

    def matches(self, tree: Tree) -> bool:
        return all(each.matches(tree) for each in self.parts)


@dataclass(frozen=True, slots=True)
class Some:
    parts: "tuple[Filter, ...]"

    def matches(self, tree: Tree) -> bool:
        return any(each.matches(tree) for each in self.parts)


Filter = Compare | Present | Within | Not | All | Some


def entries_of(tree: Tree, attribute: Attribute) -> list[Tree]:
    found = tree.get(attribute.name, [])
    return found if isinstance(found, list) else [found]


def parse_filter(text: str, among: Sequence[Attribute]) -> Filter:
    """Raises InvalidFilter saying where it goes wrong."""
    reader = Reader(text, LONGEST_FILTER)
    found = reader.either(among)
    reader.end()
    return found


class Reader:
    """The words of a filter, read once from left to right."""

    def __init__(self, text: str, longest: int) -> None:
        if len(text) > longest:
            raise InvalidFilter.of("filter", f"must be at most {longest} characters")
        self._words = _words(text)
        self._at = 0
        self._depth = 0
        self._conditions = 0

    def either(self, among: Sequence[Attribute]) -> Filter:
        parts = [self._both(among)]
        while self._takes("or"):
            parts.append(self._both(among))
        return parts[0] if len(parts) == 1 else Some(tuple(parts))

    def end(self) -> None:
        if self._at < len(self._words):
            raise self.wrong("the end")

    def next(self, expected: str) -> str:
        if self._at == len(self._words):
            raise self.wrong(expected)
        self._at += 1
        return self._words[self._at - 1]

    def peek(self) -> str:
        return self._words[self._at] if self._at < len(self._words) else ""

    def bracketed(self, among: Sequence[Attribute], close: str) -> Filter:
        """What stands between an opening bracket, read already, and the closing one."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise InvalidFilter.of("filter", f"must be at most {DEEPEST} levels deep")
        inner = self.either(among)
        if self.next(close) != close:
            self._at -= 1
            raise self.wrong(close)
        self._depth -= 1
        return inner

    def wrong(self, expected: str) -> InvalidInput:
        return InvalidFilter.of("filter", f"has {self.peek()[:40]!r} as word {self._at + 1} instead of {expected}")

    def _both(self, among: Sequence[Attribute]) -> Filter:
        parts = [self._one(among)]
        while self._takes("and"):
            parts.append(self._one(among))
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _one(self, among: Sequence[Attribute]) -> Filter:
        if self._takes("("):
            return self.bracketed(among, ")")
        if self.peek().lower() == "not":
            self._at += 1
            if not self._takes("("):
                raise self.wrong("( after not")
            return Not(self.bracketed(among, ")"))
        return self._condition(among)

    def _condition(self, among: Sequence[Attribute]) -> Filter:
        self._conditions += 1
        if self._conditions > MOST_CONDITIONS:
            raise InvalidFilter.of("filter", f"must have at most {MOST_CONDITIONS} conditions")
        path = path_of(self.next("an attribute"), among)
        if self._takes("["):
            if path.sub is not None:
                raise InvalidFilter.of("filter", "has a [ after an attribute of an attribute")
            return Within(path.attribute, self.bracketed(path.attribute.subs if path.attribute else _ANYTHING, "]"))
        operator = self.next("an operator").lower()
        if operator == "pr":
            return Present(path)
        if operator not in _OPERATORS:
            self._at -= 1
            raise self.wrong("eq, ne, co, sw, ew, gt, ge, lt, le or pr")
        return self._comparison(path, operator, _literal(self.next("a value")))

    def _comparison(self, path: Path, operator: str, value: str | bool | None) -> Filter:
        leaf = path.leaf
        if leaf is None:
            if path.attribute is not None:
                raise InvalidFilter.of("filter", f"compares {path.attribute.name}, which has no value of its own")
            return Compare(path, operator, value)
        if leaf.kind == "boolean" and isinstance(value, str):
            value = _CONSTANTS.get(value.lower())
        fits = value is None or isinstance(value, bool) is (leaf.kind == "boolean")
        if not fits or (operator not in ("eq", "ne") and (value is None or leaf.kind == "boolean")):
            raise InvalidFilter.of("filter", f"compares {leaf.name} by {operator} with what it cannot be compared with")
        if leaf.kind == "dateTime" and value is not None:
            if operator in ("co", "sw", "ew"):
                raise InvalidFilter.of("filter", f"compares the time {leaf.name} by {operator}")
            _check_moment(str(value))
        return Compare(path, operator, value)

    def _takes(self, word: str) -> bool:
        taken = self.peek().lower() == word
        self._at += taken
        return taken


def path_of(word: str, among: Sequence[Attribute]) -> Path:
    """Returns where a dotted name, perhaps after the URN of its schema, leads. Raises InvalidFilter if that is nowhere."""
    name, _, sub_name = _URN.sub("", word).partition(".")
    attribute = attribute_named(name, among)
    if attribute is None:
        if name.lower() in NOT_KEPT or among is _ANYTHING or word.lower().startswith("urn:ietf:params:scim:schemas:extension:"):
            return Path(None)
        raise InvalidFilter.of("filter", f"names the attribute {word[:80]!r}, which there is not")
    if not sub_name:
        return Path(attribute)
    sub = attribute_named(sub_name, attribute.subs)
    if sub is None:
        raise InvalidFilter.of("filter", f"names the attribute {word[:80]!r}, which there is not")
    return Path(attribute, sub)


_ANYTHING: tuple[Attribute, ...] = ()
"""The attributes of an attribute that is not kept: whatever they are, they have no value."""


def _words(text: str) -> list[str]:
    words, at = [], 0
    text = text.strip()
    while at < len(text):
        found = _WORD.match(text, at)
        if found is None:
            raise InvalidFilter.of("filter", f"has an unclosed quotation mark at character {at + 1}")
        words.append(found[1] or found[2] or found[3])
        at = found.end()
    return words


def _literal(word: str) -> str | bool | None:
    if word.startswith('"'):
        try:
            text: str = json.loads(word)
            text.encode()  # JSON can write half a surrogate pair, which no database takes, nor NUL
        except ValueError:
            raise InvalidFilter.of("filter", f"has {word[:40]!r}, which is no JSON string of whole characters") from None
        if "\0" in text:
            raise InvalidFilter.of("filter", f"has {word[:40]!r}, which holds NUL")
        return text
    if word.lower() in _CONSTANTS:
        return _CONSTANTS[word.lower()]
    raise InvalidFilter.of("filter", f"has {word[:40]!r} instead of a string in quotation marks, true, false or null")


def _check_moment(text: str) -> None:
    try:
        aware = datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        aware = False
    if not aware:
        raise InvalidFilter.of("filter", f"has {text[:40]!r} instead of a time such as 2026-06-12T08:30:00Z")
