"""Shows an item to a learner."""

from collections.abc import Callable
from dataclasses import dataclass

from domain.assessment.model.presenting import body_for
from domain.assessment.model.responses import ItemView
from domain.assessment.ports import HintUnit, PublishedItems
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetItemView:
    items: PublishedItems
    new_unit: Callable[[str], HintUnit]

    async def __call__(self, caller: Caller, learner: str, course: str, item_id: str) -> ItemView:
        item = await self.items.get(caller.organization, course, item_id)
        hints: tuple[str, ...] = ()
        if item.key.hints:
            async with self.new_unit(caller.organization) as unit:
                hints = tuple(each.text for each in await unit.hints.active(learner, item_id))
        return ItemView(learner, course, item_id, item.revision, body_for(item, learner), len(item.key.hints), hints)
