from dataclasses import dataclass

from domain.audit.model import Link
from domain.audit.ports import ActFilter, NewAuditUnit
from domain.audit.use_cases.chain_of import chain_of
from domain.shared.caller import Caller
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class ListActs:
    """A page of a chain, oldest first."""

    new_unit: NewAuditUnit

    async def __call__(self, caller: Caller, wanted: ActFilter, request: PageRequest, platform: bool = False) -> Page[Link]:
        async with self.new_unit(chain_of(caller, platform)) as unit:
            return await unit.chain.page(wanted, request)
