from dataclasses import dataclass

from domain.identity.invitations import Invitation
from domain.identity.ports import NewUnit
from domain.shared.caller import Caller
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class ListInvitations:
    new_unit: NewUnit

    async def __call__(self, caller: Caller, request: PageRequest) -> Page[Invitation]:
        async with self.new_unit(caller.organization) as unit:
            return await unit.invitations.page(request)
