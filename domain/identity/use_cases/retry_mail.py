from dataclasses import dataclass

from domain.identity.mail_queue import Mail
from domain.identity.ports import NewUnit
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class RetryMail:
    """For a dead mail, once what was wrong has been mended."""

    new_unit: NewUnit
    clock: Clock

    async def __call__(self, caller: Caller, mail_id: str) -> Mail:
        async with self.new_unit(caller.organization) as unit:
            revived = (await unit.mails.get(mail_id)).revived(self.clock())
            await unit.mails.save(revived)
            await unit.commit()
        return revived
