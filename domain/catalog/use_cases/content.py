from collections.abc import Sequence

from domain.catalog.model import Item
from domain.catalog.ports import ItemChecker
from domain.shared.errors import FieldViolation


async def content_faults(
    checker: ItemChecker, organization: str, items: Sequence[Item], paths: Sequence[str]
) -> list[FieldViolation]:
    """Returns what the context that grades finds wrong, under the paths of the caller's request."""
    return [
        FieldViolation(f"{paths[fault.index]}item.{fault.field}", fault.description)
        for fault in await checker.faults(organization, items)
    ]
