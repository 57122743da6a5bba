"""The job that brings mails to the mail server."""

import asyncio

import structlog
from prometheus_client import Counter

from domain.identity.mail_queue import DeliveryFailed, Mail
from domain.identity.people_ports import MailCarrier
from domain.identity.use_cases.deliver_mails import DeliverMails
from domain.shared.errors import Unavailable
from services.shared.context import Job

log = structlog.get_logger()

_LOOK_EVERY_SECONDS = 0.5
_AFTER_AN_OUTAGE_SECONDS = 5.0

deliveries = Counter("paideia_mail_deliveries_total", "Attempts to hand a mail to the mail server", ["outcome"])


def mail_delivery(deliver: DeliverMails) -> Job:
    """Returns the job that delivers mails as long as the process runs."""

    async def deliver_mails() -> None:
        while True:
            try:
                while await deliver():
                    pass
            except Unavailable as error:
                log.warning("mails wait for the database", error=error.message)
                await asyncio.sleep(_AFTER_AN_OUTAGE_SECONDS)
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    return deliver_mails


class CountedCarrier(MailCarrier):
    """Counts and logs what becomes of mails, without saying whose they are."""

    def __init__(self, carrier: MailCarrier) -> None:
        self._carrier = carrier

    async def carry(self, mail: Mail) -> None:
        try:
            await self._carrier.carry(mail)
        except DeliveryFailed as failure:
            deliveries.labels("refused" if failure.for_good else "failed").inc()
            log.warning(
                "a mail was not delivered", mail=mail.id, template=mail.template, attempt=mail.attempts, for_good=failure.for_good
            )
            raise
        deliveries.labels("sent").inc()
