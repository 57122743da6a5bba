"""Reveals an item's next hint to a learner, once for each request."""

from collections.abc import Callable
from dataclasses import dataclass

from domain.assessment.model.responses import RevealedHint
from domain.assessment.ports import HintUnit, PublishedItems
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class RevealHint:
    items: PublishedItems
    new_unit: Callable[[str], HintUnit]

    async def __call__(self, caller: Caller, request_id: str, learner: str, course: str, item_id: str) -> RevealedHint:
        # A repeat gets its first answer even when the item is no longer published.
        async with self.new_unit(caller.organization) as unit:
            if first := await unit.hints.find(request_id):
                return first.repeated_by(learner, course, item_id)
        item = await self.items.get(caller.organization, course, item_id)
        async with self.new_unit(caller.organization) as unit:
            await unit.hints.lock(learner, item_id)
            if first := await unit.hints.find(request_id):
                return first.repeated_by(learner, course, item_id)
            hint = RevealedHint.next(request_id, learner, course, item, await unit.hints.active(learner, item_id))
            await unit.hints.add(hint)
            await unit.commit()
        return hint
