from dataclasses import dataclass

from domain.catalog.model import Item
from domain.catalog.ports import NewCatalogUnit
from domain.shared.caller import Caller
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class ListItems:
    new_unit: NewCatalogUnit

    async def __call__(self, caller: Caller, request: PageRequest, skill_id: str | None = None) -> Page[Item]:
        async with self.new_unit(caller.organization) as unit:
            return await unit.items.page(request, skill_id)
