"""Returns a version of an item bank with its items."""

from collections.abc import Callable
from dataclasses import dataclass

from domain.assessment.ports import SittingUnit
from domain.assessment.testing.banks import BankVersion
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetBankVersion:
    new_unit: Callable[[str], SittingUnit]

    async def __call__(self, caller: Caller, bank: str, version: str) -> BankVersion:
        async with self.new_unit(caller.organization) as unit:
            return await unit.banks.get(bank, version)
