"""Retires a test blueprint: no session begins any more, those under way go on."""

from collections.abc import Callable
from dataclasses import dataclass

from domain.assessment.ports import SittingUnit
from domain.assessment.testing.blueprints import Blueprint
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class RetireBlueprint:
    new_unit: Callable[[str], SittingUnit]
    clock: Clock

    async def __call__(self, caller: Caller, blueprint: str) -> Blueprint:
        async with self.new_unit(caller.organization) as unit:
            await unit.blueprints.retire(blueprint, self.clock())
            retired = await unit.blueprints.get(blueprint)
            await unit.commit()
        return retired
