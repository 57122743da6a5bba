"""The order of lists that SCIM's clients ask for (RFC 7644, section 3.4.2.3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.identity.provisioning_attributes import Attribute, InvalidValue, Tree
from domain.identity.provisioning_filter import InvalidFilter, Path, entries_of, path_of


@dataclass(frozen=True, slots=True)
class Order:
    """By the values at a path. What has no value there comes last, or first when `descending`."""

    path: Path
    descending: bool = False

    def key(self, tree: Tree) -> tuple[bool, Any]:
        """To sort by, in reverse when descending."""
        value = self._value(tree)
        return value is None, value if value is not None else ""

    def _value(self, tree: Tree) -> Any:
        """Of many entries, the primary one counts, or else the first."""
        attribute, leaf = self.path.attribute, self.path.leaf
        if attribute is None or leaf is None:
            return None
        if attribute.kind == "complex":
            entries = entries_of(tree, attribute)
            tree = next((each for each in entries if each.get("primary")), entries[0] if entries else {})
        value = tree.get(leaf.name)
        if not isinstance(value, str):
            return value
        if leaf.kind == "dateTime":
            return datetime.fromisoformat(value)
        return value if leaf.exact else value.casefold()


def order_of(sort_by: str, descending: bool, among: Sequence[Attribute]) -> Order | None:
    """None for the order of ids. Raises InvalidValue if the name is nothing that has one value to sort by."""
    if not sort_by:
        return None
    try:
        path = path_of(sort_by, among)
    except InvalidFilter:
        raise InvalidValue.of("sortBy", f"names the attribute {sort_by[:80]!r}, which there is not") from None
    if path.attribute is not None and path.leaf is None:
        raise InvalidValue.of("sortBy", f"names {path.attribute.name}, which has no value of its own: name one of its attributes")
    return Order(path, descending)
