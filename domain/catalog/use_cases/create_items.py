from collections.abc import Sequence
from dataclasses import dataclass, replace

from domain.catalog.model import Item, ItemAlreadyExists, missing_skills, refuse, repeated_ids
from domain.catalog.ports import ItemChecker, NewCatalogUnit
from domain.catalog.use_cases.content import content_faults
from domain.shared.caller import Caller
from domain.shared.clock import Clock
from domain.shared.plans import Quota, check_room


@dataclass(frozen=True, slots=True)
class CreateItems:
    """Creates items at revision 1, all or none."""

    new_unit: NewCatalogUnit
    checker: ItemChecker
    clock: Clock

    async def __call__(
        self, caller: Caller, items: Sequence[Item], paths: Sequence[str], skip_existing: bool = False
    ) -> list[Item]:
        """`paths` come before the fields of each item in faults. With `skip_existing` those that exist are returned as they are."""
        refuse([fault for each, at in zip(items, paths, strict=True) for fault in each.faults(at)])
        refuse(repeated_ids([each.id for each in items], lambda index: f"{paths[index]}item_id"))
        refuse(await content_faults(self.checker, caller.organization, items, paths))
        now = self.clock()
        new = {each.id: replace(each, created_at=now, updated_at=now) for each in items}
        async with self.new_unit(caller.organization) as unit:
            wanted = {skill for each in items for skill in each.skills}
            missing_skills(wanted, await unit.skills.find(wanted))
            await unit.quotas.hold(Quota.ITEMS)
            used = await unit.quotas.used(Quota.ITEMS)
            added = await unit.items.add(list(new.values()))
            taken = sorted(new.keys() - added)
            if taken and not skip_existing:
                raise ItemAlreadyExists(f"there is an item {', '.join(taken[:20])} already")
            check_room(caller.plan, Quota.ITEMS, used, len(added))
            saved = {**new, **(await unit.items.find(taken) if taken else {})}
            await unit.commit()
        return [saved[each.id] for each in items]
