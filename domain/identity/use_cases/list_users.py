from dataclasses import dataclass, replace

from domain.identity.model import User
from domain.identity.ports import NewUnit
from domain.identity.use_cases.directory_rights import shown_users
from domain.identity.use_cases.teaching import sees_own_classes_only
from domain.shared.caller import Caller
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class ListUsers:
    """Everybody, or, to a teacher who sees their own classes only, themselves and the learners of those."""

    new_unit: NewUnit

    async def __call__(self, caller: Caller, request: PageRequest) -> Page[User]:
        async with self.new_unit(caller.organization) as unit:
            limited = await sees_own_classes_only(unit, caller)
            only = await unit.classes.taught_by(caller.user) | {caller.user} if limited else None
            page = await unit.users.page(request, only)
            return replace(page, elements=await shown_users(unit, caller, page.elements))
