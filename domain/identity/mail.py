"""Mail to people."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

from domain.identity.model import User


class Template(StrEnum):
    """What a mail is about; whoever delivers it has the words in the reader's language."""

    VERIFY_EMAIL = "verify_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105  # the name of a template
    PASSWORD_CHANGED = "password_changed"  # noqa: S105
    EMAIL_CHANGED = "email_changed"
    SECOND_FACTOR_CHANGED = "second_factor_changed"
    RECOVERY_CODE_USED = "recovery_code_used"
    INVITATION = "invitation"
    SIGN_UP = "sign_up"
    SIGN_UP_KNOWN = "sign_up_known"


class Mailer(Protocol):
    async def send(self, to: str, template: str, fields: Mapping[str, str]) -> None:
        """The mail goes out if, and only if, the unit commits. `fields` are what the template is filled with."""


async def tell(mails: Mailer, user: User, template: Template, **fields: str) -> None:
    """Writes to a user; does nothing for one without an address."""
    if user.email is not None:
        await mails.send(user.email, template, {"user": user.id, "display_name": user.display_name} | fields)
