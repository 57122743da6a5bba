"""Creates a test blueprint and pins the items of the course's newest publication to it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from domain.assessment.model.items import Item
from domain.assessment.ports import CatalogContent, HeldItems, SittingUnit
from domain.assessment.testing.banks import BankVersion
from domain.assessment.testing.blueprints import Blueprint
from domain.assessment.testing.pools import wanted, with_pool
from domain.shared.caller import Caller
from domain.shared.clock import Clock
from domain.shared.errors import AlreadyExists

_BATCH = 200


@dataclass(frozen=True, slots=True)
class CreateBlueprint:
    new_unit: Callable[[str], SittingUnit]
    catalog: CatalogContent
    held: HeldItems
    clock: Clock

    async def __call__(self, caller: Caller, request_id: str, blueprint: Blueprint) -> Blueprint:
        blueprint.check()
        bank: BankVersion | None = None
        async with self.new_unit(caller.organization) as unit:
            if first := await unit.blueprints.created_by(request_id):
                return first.repeated_by(blueprint)
            if blueprint.bank:
                bank = await unit.banks.get(blueprint.bank, blueprint.bank_version)
        published = await self._published(caller.organization, blueprint.course, wanted(blueprint, bank))
        made = await asyncio.to_thread(with_pool, blueprint, bank, published, self.clock())
        try:
            async with self.new_unit(caller.organization) as unit:
                await unit.blueprints.add(made, request_id)
                await unit.commit()
        except AlreadyExists:
            # The same request may have been quicker a second time.
            async with self.new_unit(caller.organization) as unit:
                if first := await unit.blueprints.created_by(request_id):
                    return first.repeated_by(blueprint)
            raise
        return made

    async def _published(self, organization: str, course: str, asked: Sequence[str]) -> dict[str, Item]:
        """Those of the items that the newest publication holds; their revisions are kept, to be served for ever."""
        found: dict[str, Item] = {}
        for start in range(0, len(asked), _BATCH):
            some = asked[start : start + _BATCH]
            batch = await self.catalog.published(organization, course, some)
            await self.held.hold(organization, course, some, batch)
            found |= {each.id: each for each in batch.items}
        return found
