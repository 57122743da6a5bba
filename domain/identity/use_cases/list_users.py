from dataclasses import dataclass

from domain.identity.model import User
from domain.identity.ports import NewUnit
from domain.shared.caller import Caller
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class ListUsers:
    new_unit: NewUnit

    async def __call__(self, caller: Caller, request: PageRequest) -> Page[User]:
        async with self.new_unit(caller.organization) as unit:
            return await unit.users.page(request)
