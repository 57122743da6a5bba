"""What the stack's mail server took, read from its files."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path

_LINK = re.compile(r"https?://\S+")


class NoSuchMail(Exception):
    """No kept mail has the id."""


@dataclass(frozen=True, slots=True)
class KeptMail:
    """`id` is the name of its file without the ending; newer ones sort after older ones."""

    id: str
    sent_at: datetime | None
    sender: str
    to: str
    subject: str
    text: str
    html: str

    @property
    def links(self) -> tuple[str, ...]:
        return tuple(_LINK.findall(self.text))

    def as_json(self) -> dict[str, object]:
        return {
            "id": self.id,
            "time": self.sent_at.isoformat() if self.sent_at else "",
            "from": self.sender,
            "to": self.to,
            "subject": self.subject,
            "links": list(self.links),
            "text": self.text,
        }


class Mailbox:
    """The directory of the stack's mail server; one that is not there is empty."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def newest(self, to: str = "") -> Iterator[KeptMail]:
        """The newest first; with `to`, those only whose recipient contains it."""
        for path in sorted(self._directory.glob("*.eml"), reverse=True):
            mail = _read(path)
            if mail is not None and to.lower() in mail.to.lower():
                yield mail

    def get(self, mail_id: str) -> KeptMail:
        """By id, or `last` for the newest. Raises NoSuchMail."""
        found = next((mail for mail in self.newest() if mail_id in (mail.id, "last")), None)
        if found is None:
            raise NoSuchMail(f"there is no mail {mail_id}: see paideia mail list")
        return found


def _read(path: Path) -> KeptMail | None:
    try:
        message = message_from_bytes(path.read_bytes(), _class=EmailMessage, policy=policy.default)
    except FileNotFoundError:  # the oldest go when there are too many
        return None
    try:
        sent_at = parsedate_to_datetime(str(message["Date"]))
    except ValueError:
        sent_at = None
    return KeptMail(
        id=path.stem,
        sent_at=sent_at,
        sender=str(message["From"] or ""),
        to=str(message["To"] or ""),
        subject=str(message["Subject"] or ""),
        text=_part(message, "plain"),
        html=_part(message, "html"),
    )


def _part(message: EmailMessage, kind: str) -> str:
    body = message.get_body(preferencelist=(kind,))
    return str(body.get_content()) if body is not None else ""
