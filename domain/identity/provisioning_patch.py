"""PATCH of SCIM 2.0 (RFC 7644, section 3.5.2), in the dialects that Microsoft Entra ID and Okta write."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.identity.provisioning_attributes import (
    Attribute,
    InvalidValue,
    ReadOnlyAttribute,
    Tree,
    canonical_value,
    with_one_primary,
)
from domain.identity.provisioning_filter import (
    All,
    Compare,
    Filter,
    InvalidFilter,
    Path,
    Reader,
    entries_of,
    path_of,
)
from domain.shared.errors import InvalidInput

MOST_OPERATIONS = 100
LONGEST_PATH = 1_000


class InvalidPath(InvalidInput):
    reason = "INVALID_PATH"


class NoTarget(InvalidInput):
    reason = "NO_TARGET"


@dataclass(frozen=True, slots=True)
class Operation:
    """`value` is JSON; `at` is the operation's place in the request, for whoever reads the refusal."""

    op: str
    path: str
    value: Any
    at: str = "operations[0]"


@dataclass(frozen=True, slots=True)
class Target:
    """Where an operation works: at an attribute, at those of its entries that match, or at one attribute of either."""

    attribute: Attribute
    where: Filter | None = None
    sub: Attribute | None = None


def patched(tree: Tree, operations: Sequence[Operation], among: Sequence[Attribute]) -> Tree:
    """Returns the tree after all operations. Raises InvalidInput of the kinds that the standard tells apart."""
    if not 1 <= len(operations) <= MOST_OPERATIONS:
        raise InvalidValue.of("operations", f"must be 1 to {MOST_OPERATIONS}")
    tree = copy.deepcopy(tree)
    for operation in operations:
        op = operation.op.lower()
        if op not in ("add", "replace", "remove"):
            raise InvalidValue.of(f"{operation.at}.op", "must be add, replace or remove")
        if operation.path:
            _apply(tree, op, operation.path, operation, among)
        elif op == "remove":
            raise NoTarget.of(f"{operation.at}.path", "must say what to remove")
        elif not isinstance(operation.value, Mapping):
            raise InvalidValue.of(f"{operation.at}.value", "must be an object with attributes when there is no path")
        else:
            for name, value in operation.value.items():
                _apply(tree, op, name, Operation(op, name, value, operation.at), among)
    return tree


def target_of(text: str, among: Sequence[Attribute]) -> Target | None:
    """Returns where a path leads; None for an attribute that is not kept. Raises InvalidPath."""
    try:
        reader = Reader(text, LONGEST_PATH)
        path = path_of(reader.next("an attribute"), among)
        where: Filter | None = None
        if reader.peek() == "[":
            reader.next("[")
            where = reader.bracketed(path.attribute.subs if path.attribute else (), "]")
            if reader.peek().startswith("."):
                path = path_of((path.attribute.name if path.attribute else "title") + reader.next("."), among)
        reader.end()
    except InvalidFilter as error:
        raise InvalidPath.of("path", "; ".join(each.description for each in error.violations)) from None
    if path.attribute is None:
        return None
    if where is not None and not path.attribute.many:
        raise InvalidPath.of("path", f"filters {path.attribute.name}, which has one value")
    return Target(path.attribute, where, path.sub)


def _apply(tree: Tree, op: str, path: str, operation: Operation, among: Sequence[Attribute]) -> None:
    target = target_of(path, among)
    if target is None:
        return
    attribute = target.attribute
    if attribute.read_only:
        raise ReadOnlyAttribute.of(f"{operation.at}.path", f"{attribute.name} is for the platform to set")
    if op == "remove":
        _remove(tree, target, operation)
    elif target.where is not None:
        _write_entries(tree, op, target, target.where, operation)
    elif target.sub is not None:
        _write_sub(tree, target, target.sub, operation)
    else:
        _write(tree, op, attribute, operation)
    if (attribute.required or attribute.always) and attribute.name not in tree:
        raise InvalidValue.of(attribute.name, "is required")


def _write(tree: Tree, op: str, attribute: Attribute, operation: Operation) -> None:
    value = canonical_value(operation.value, attribute, attribute.name)
    if value is None:
        if op == "replace":
            tree.pop(attribute.name, None)
        return
    if attribute.many:
        before = entries_of(tree, attribute) if op == "add" else []
        fresh = _new(value, before, attribute)
        _put(tree, attribute, with_one_primary([*before, *fresh], fresh))
    elif attribute.kind == "complex":
        tree[attribute.name] = tree.get(attribute.name, {}) | value
    else:
        tree[attribute.name] = value


def _write_sub(tree: Tree, target: Target, sub: Attribute, operation: Operation) -> None:
    value = canonical_value(operation.value, sub, f"{target.attribute.name}.{sub.name}")
    if not target.attribute.many:
        changed = _with(tree.get(target.attribute.name, {}), sub, value)
        _put(tree, target.attribute, changed)
        return
    entries = entries_of(tree, target.attribute) or [{}]
    _put(tree, target.attribute, [_with(each, sub, value) for each in entries])


def _write_entries(tree: Tree, op: str, target: Target, where: Filter, operation: Operation) -> None:
    attribute = target.attribute
    entries = entries_of(tree, attribute)
    if not any(where.matches(each) for each in entries):
        # Entra ID fills in the work address of somebody who has none by replacing it: make the entry that the path describes.
        entries = [*entries, _described(where)]
    changed: list[Tree] = []
    fresh: list[Tree] = []
    for each in entries:
        if not where.matches(each):
            changed.append(each)
            continue
        if target.sub is not None:
            value = canonical_value(operation.value, target.sub, f"{attribute.name}.{target.sub.name}")
            each = _with(each, target.sub, value)
        else:
            given = canonical_value(operation.value, attribute, attribute.name) or [{}]
            each = (each if op == "add" else {}) | given[0]
        fresh.append(each)
        changed.append(each)
    _put(tree, attribute, with_one_primary([each for each in changed if each], fresh))


def _remove(tree: Tree, target: Target, operation: Operation) -> None:
    attribute = target.attribute
    if target.where is not None:
        where = target.where
        kept = [each for each in entries_of(tree, attribute) if not where.matches(each)]
        if target.sub is not None:
            sub = target.sub
            kept = [_with(each, sub, None) if where.matches(each) else each for each in entries_of(tree, attribute)]
        _put(tree, attribute, [each for each in kept if each])
    elif target.sub is not None:
        found = tree.get(attribute.name, {})
        bare = [_with(each, target.sub, None) for each in (found if attribute.many else [found])]
        kept = [each for each in bare if each]
        _put(tree, attribute, kept if attribute.many else (kept or [{}])[0])
    elif attribute.many and operation.value:
        # Entra ID names the members to remove in the value instead of in the path.
        gone = canonical_value(operation.value, attribute, attribute.name) or []
        values = {each.get("value") for each in gone}
        _put(tree, attribute, [each for each in entries_of(tree, attribute) if each.get("value") not in values])
    else:
        tree.pop(attribute.name, None)


def _described(where: Filter) -> Tree:
    """Returns the entry that comparisons for equality describe. Raises NoTarget if there are others."""
    parts = where.parts if isinstance(where, All) else (where,)
    tree: Tree = {}
    for part in parts:
        match part:
            case Compare(Path(Attribute() as attribute, None), "eq", value) if value is not None:
                tree[attribute.name] = value
            case _:
                raise NoTarget.of("path", "matches no entry")
    return tree


def _new(entries: Sequence[Tree], before: Sequence[Tree], attribute: Attribute) -> list[Tree]:
    """Those that are not there already (section 3.5.2.1)."""
    if not attribute.keyed:
        return [each for each in entries if each not in before]
    known = {each.get("value") for each in before}
    return [each for each in entries if each.get("value") not in known]


def _with(tree: Tree, sub: Attribute, value: Any) -> Tree:
    bare = {name: kept for name, kept in tree.items() if name != sub.name}
    return bare if value is None else bare | {sub.name: value}


def _put(tree: Tree, attribute: Attribute, value: Any) -> None:
    if value:
        tree[attribute.name] = value
    else:
        tree.pop(attribute.name, None)
