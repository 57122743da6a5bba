import asyncio
from dataclasses import dataclass

from domain.identity.mail_queue import DeliveryFailed, Mail
from domain.identity.people_ports import MailCarrier
from domain.identity.ports import NewPlatformUnit
from domain.shared.clock import Clock

MOST_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class DeliverMails:
    """Hands mails that are due to the mail server. Returns how many there were.

    At least once: whoever dies between the mail server's answer and its record leaves a mail that is sent again, under the same Message-ID.
    """

    new_platform_unit: NewPlatformUnit
    carrier: MailCarrier
    clock: Clock

    async def __call__(self) -> int:
        async with self.new_platform_unit() as unit:
            claimed = await unit.mail_queue.claim(self.clock(), MOST_AT_ONCE)
            await unit.commit()
        if not claimed:
            return 0
        settled = await asyncio.gather(*map(self._deliver, claimed))
        async with self.new_platform_unit() as unit:
            for mail in settled:
                await unit.mail_queue.settle(mail)
            await unit.mail_queue.forget_sent(self.clock())
            await unit.commit()
        return len(claimed)

    async def _deliver(self, mail: Mail) -> Mail:
        try:
            await self.carrier.carry(mail)
        except DeliveryFailed as failure:
            return mail.failed(failure, self.clock())
        return mail.sent(self.clock())
