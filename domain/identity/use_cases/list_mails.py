from dataclasses import dataclass

from domain.identity.mail_queue import Mail, MailState
from domain.identity.ports import NewUnit
from domain.shared.caller import Caller
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class ListMails:
    new_unit: NewUnit

    async def __call__(self, caller: Caller, request: PageRequest, state: MailState | None) -> Page[Mail]:
        async with self.new_unit(caller.organization) as unit:
            return await unit.mails.page(request, state)
