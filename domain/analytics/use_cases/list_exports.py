from dataclasses import dataclass

from domain.analytics.exports import Export
from domain.analytics.ports import NewAnalyticsUnit
from domain.shared.caller import Caller
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class ListExports:
    """The organization's exports, or those that the caller asked for, newest first."""

    new_unit: NewAnalyticsUnit

    async def __call__(self, caller: Caller, request: PageRequest, own: bool = False) -> Page[Export]:
        async with self.new_unit(caller.organization) as unit:
            return await unit.exports.page(request, caller.user if own else None)
