"""Lists item banks by id."""

from collections.abc import Callable
from dataclasses import dataclass

from domain.assessment.ports import SittingUnit
from domain.assessment.testing.banks import Bank
from domain.shared.caller import Caller
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class ListBanks:
    new_unit: Callable[[str], SittingUnit]

    async def __call__(self, caller: Caller, request: PageRequest) -> Page[Bank]:
        async with self.new_unit(caller.organization) as unit:
            return await unit.banks.page(request)
