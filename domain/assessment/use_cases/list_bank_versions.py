"""Lists an item bank's versions without their items, newest first."""

from collections.abc import Callable
from dataclasses import dataclass

from domain.assessment.ports import SittingUnit
from domain.assessment.testing.banks import BankVersion
from domain.shared.caller import Caller
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class ListBankVersions:
    new_unit: Callable[[str], SittingUnit]

    async def __call__(self, caller: Caller, bank: str, request: PageRequest) -> Page[BankVersion]:
        async with self.new_unit(caller.organization) as unit:
            return await unit.banks.versions(bank, request)
