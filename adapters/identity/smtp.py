"""Mails to a mail server, by SMTP."""

import ssl
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import unquote, urlsplit

import aiosmtplib

from adapters.identity.mail_words import UnknownTemplate, letter
from domain.identity.mail_queue import DeliveryFailed, Mail
from domain.identity.people_ports import MailCarrier

_SECONDS = 20.0
_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
_FOR_GOOD = 500


class WrongMailServer(ValueError):
    """The mail server's address cannot be used; the text says what it must look like."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """`scheme` is smtp (plain text: for this machine only), smtp+starttls or smtps. Without a user, nobody signs in."""

    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str, password: str = "") -> "MailServer":
        """Raises WrongMailServer."""
        parts = urlsplit(url)
        try:
            port = parts.port or _PORTS[parts.scheme]
            if not parts.hostname or parts.password or parts.path.strip("/"):
                raise ValueError
        except (KeyError, ValueError):
            raise WrongMailServer(
                "must be smtp://host:port, smtp+starttls://user@host:port or smtps://user@host:port, the password apart"
            ) from None
        return cls(parts.scheme, parts.hostname, port, unquote(parts.username or ""), password)


class SmtpCarrier(MailCarrier):
    """`sender` is the address that mails come from, `public_url` where the pages are that links open."""

    def __init__(self, server: MailServer, sender: str, public_url: str) -> None:
        self._server = server
        self._sender = sender
        self._public_url = public_url

    async def carry(self, mail: Mail) -> None:
        try:
            message = self._message(mail)
        except (UnknownTemplate, ValueError) as error:
            raise DeliveryFailed(f"the mail cannot be written: {error}", for_good=True) from error
        server = self._server
        try:
            await aiosmtplib.send(
                message,
                hostname=server.host,
                port=server.port,
                username=server.user or None,
                password=server.password or None,
                use_tls=server.scheme == "smtps",
                start_tls=server.scheme == "smtp+starttls",
                tls_context=ssl.create_default_context() if server.scheme != "smtp" else None,
                timeout=_SECONDS,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            refusals = error.recipients
            raise DeliveryFailed(
                "; ".join(f"{each.code} {each.message}" for each in refusals),
                for_good=all(each.code >= _FOR_GOOD for each in refusals),
            ) from error
        except aiosmtplib.SMTPAuthenticationError as error:
            # Ours to mend, not this mail's fault.
            raise DeliveryFailed(f"the mail server does not let us in: {error.code}", for_good=False) from error
        except aiosmtplib.SMTPResponseException as error:
            raise DeliveryFailed(f"{error.code} {error.message}", for_good=error.code >= _FOR_GOOD) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise DeliveryFailed(f"the mail server is away: {error}", for_good=False) from error

    def _message(self, mail: Mail) -> EmailMessage:
        """The same Message-ID at every attempt, so that a mail server that got it twice can tell."""
        written = letter(mail.template, mail.fields.get("locale") or mail.locale, mail.fields, mail.sender, self._public_url)
        domain = self._sender.rpartition("@")[2]
        message = EmailMessage()
        message["From"] = Address(mail.sender or "Paideia", addr_spec=self._sender)
        message["To"] = Address(addr_spec=mail.to)
        message["Subject"] = written.subject
        message["Date"] = format_datetime(mail.created_at)
        message["Message-ID"] = f"<{mail.id}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(written.text)
        message.add_alternative(written.html, subtype="html")
        return message
