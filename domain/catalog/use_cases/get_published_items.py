from collections.abc import Collection, Sequence
from dataclasses import dataclass

from domain.catalog.model import Item
from domain.catalog.ports import NewCatalogUnit
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetPublishedItems:
    """Returns items of the newest publication of a course with its number; items that are not in it are left out."""

    new_unit: NewCatalogUnit

    async def __call__(self, caller: Caller, course_id: str, item_ids: Collection[str]) -> tuple[int, Sequence[Item]]:
        async with self.new_unit(caller.organization) as unit:
            return await unit.publications.items(course_id, item_ids)
