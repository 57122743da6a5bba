"""Returns a test blueprint."""

from collections.abc import Callable
from dataclasses import dataclass

from domain.assessment.ports import SittingUnit
from domain.assessment.testing.blueprints import Blueprint
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetBlueprint:
    new_unit: Callable[[str], SittingUnit]

    async def __call__(self, caller: Caller, blueprint: str) -> Blueprint:
        async with self.new_unit(caller.organization) as unit:
            return await unit.blueprints.get(blueprint)
