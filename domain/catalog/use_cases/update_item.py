from dataclasses import dataclass

from domain.catalog.model import Item, ItemChange, ItemChangedMeanwhile, missing_skills, refuse
from domain.catalog.ports import ItemChecker, NewCatalogUnit
from domain.catalog.use_cases.content import content_faults
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class UpdateItem:
    """Saves a new revision of an item."""

    new_unit: NewCatalogUnit
    checker: ItemChecker
    clock: Clock

    async def __call__(self, caller: Caller, item_id: str, change: ItemChange, revision: int = 0) -> Item:
        """`revision` is the one the caller has read, 0 for whichever is current."""
        async with self.new_unit(caller.organization) as unit:
            current = await unit.items.get(item_id)
        if revision not in (0, current.revision):
            raise ItemChangedMeanwhile(f"item {item_id} is at revision {current.revision}, not {revision}")
        item = current.revised(change, self.clock())
        refuse(item.faults())
        refuse(await content_faults(self.checker, caller.organization, [item], [""]))
        async with self.new_unit(caller.organization) as unit:
            missing_skills(item.skills, await unit.skills.find(item.skills))
            await unit.items.save(item)  # refuses if another revision came meanwhile
            await unit.commit()
        return item
