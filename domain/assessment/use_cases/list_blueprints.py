"""Lists test blueprints by id, without their pools."""

from collections.abc import Callable
from dataclasses import dataclass

from domain.assessment.ports import SittingUnit
from domain.assessment.testing.blueprints import Blueprint
from domain.shared.caller import Caller
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class ListBlueprints:
    new_unit: Callable[[str], SittingUnit]

    async def __call__(self, caller: Caller, request: PageRequest) -> Page[Blueprint]:
        async with self.new_unit(caller.organization) as unit:
            return await unit.blueprints.page(request)
