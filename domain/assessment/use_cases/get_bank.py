"""Returns what there is of an item bank."""

from collections.abc import Callable
from dataclasses import dataclass

from domain.assessment.ports import SittingUnit
from domain.assessment.testing.banks import Bank, BankNotFound
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetBank:
    new_unit: Callable[[str], SittingUnit]

    async def __call__(self, caller: Caller, bank: str) -> Bank:
        async with self.new_unit(caller.organization) as unit:
            found = await unit.banks.find(bank)
        if found is None:
            raise BankNotFound(f"no item bank {bank}")
        return found
