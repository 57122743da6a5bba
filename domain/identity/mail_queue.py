"""Mails on their way: written with what caused them, delivered afterwards, tried again until it is no use."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from domain.shared.errors import InvalidInput, NotAllowedNow, NotFound
from domain.shared.ids import canonical_uuid
from domain.shared.page import PageRequest

FIRST_PAUSE = timedelta(seconds=15)
LONGEST_PAUSE = timedelta(hours=1)
GIVES_UP_AFTER = timedelta(days=3)
CLAIM_LIFE = timedelta(minutes=2)
"""How long one deliverer has a mail to itself. Who dies over it leaves it to the others after this."""
KEPT_AFTER_SENT = timedelta(days=30)
_LONGEST_ERROR = 500


class MailNotFound(NotFound):
    reason = "MAIL_NOT_FOUND"


class MailNotDead(NotAllowedNow):
    reason = "MAIL_NOT_DEAD"


class MailState(StrEnum):
    WAITING = "WAITING"
    SENT = "SENT"
    DEAD = "DEAD"


class DeliveryFailed(Exception):
    """The mail server did not take a mail. `for_good`: it refused this mail, and will again."""

    def __init__(self, text: str, *, for_good: bool) -> None:
        super().__init__(text)
        self.for_good = for_good


@dataclass(frozen=True, slots=True)
class Mail:
    """`fields` fill the template; they may hold a link that signs in, so they are forgotten once the mail is sent.

    `locale` and `sender` are the organization's language and name when the mail is delivered; a field `locale` is stronger.
    """

    id: str
    organization: str
    to: str
    template: str
    fields: Mapping[str, str]
    created_at: datetime
    next_attempt_at: datetime
    attempts: int = 0
    state: MailState = MailState.WAITING
    error: str = ""
    settled_at: datetime | None = None
    locale: str = "en"
    sender: str = ""

    def sent(self, now: datetime) -> "Mail":
        return replace(self, state=MailState.SENT, settled_at=now, error="", fields={})

    def failed(self, failure: DeliveryFailed, now: datetime) -> "Mail":
        """The pause before the next attempt doubles from 15 s to an hour; after three days, or a refusal for good, the mail is dead."""
        error = str(failure).replace(self.to, "the recipient")[:_LONGEST_ERROR]
        if failure.for_good or now - self.created_at >= GIVES_UP_AFTER:
            return replace(self, state=MailState.DEAD, settled_at=now, error=error)
        pause = min(FIRST_PAUSE * 2 ** min(self.attempts - 1, 30), LONGEST_PAUSE)
        return replace(self, next_attempt_at=now + pause, error=error)

    def revived(self, now: datetime) -> "Mail":
        """To be tried again, as if it were new. Raises MailNotDead."""
        if self.state is not MailState.DEAD:
            raise MailNotDead(f"mail {self.id} is {self.state}: only a dead one is tried again by hand")
        return replace(self, state=MailState.WAITING, created_at=now, next_attempt_at=now, settled_at=None, attempts=0)


def mail_cursor(request: PageRequest) -> tuple[datetime, str]:
    """Returns when the last mail of the page before was written, and its id. Raises InvalidInput if that is no mail's."""
    try:
        created_at, mail_id = request.after or ()
        moment = datetime.fromisoformat(created_at)
        if moment.tzinfo is None:
            raise ValueError
    except ValueError:
        raise InvalidInput.of("page_token", "must be the next_page_token of the page before, unchanged") from None
    return moment, canonical_uuid(mail_id, "page_token")
