from dataclasses import dataclass

from domain.catalog.model import Item
from domain.catalog.ports import NewCatalogUnit
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetItem:
    new_unit: NewCatalogUnit

    async def __call__(self, caller: Caller, item_id: str) -> Item:
        async with self.new_unit(caller.organization) as unit:
            return await unit.items.get(item_id)
