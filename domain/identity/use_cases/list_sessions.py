from dataclasses import dataclass

from domain.identity.ports import NewUnit
from domain.identity.sessions import Session
from domain.identity.step_up import SignedIn
from domain.shared.clock import Clock
from domain.shared.ids import canonical_uuid
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class ListSessions:
    new_unit: NewUnit
    clock: Clock

    async def __call__(self, me: SignedIn, request: PageRequest) -> Page[Session]:
        if request.after is not None:
            canonical_uuid(request.after[0], "page_token")
        async with self.new_unit(me.organization) as unit:
            return await unit.sessions.page(me.user, request, self.clock())
