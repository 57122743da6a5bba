"""Links sent by mail: single-use, expiring, kept as digests."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.identity.model import is_organization_id
from domain.shared.errors import InvalidInput, NotAllowedNow

_LONGEST = 256
EVEN_SECONDS = 0.25
"""How long a request for a link takes at the least: longer than looking up an account and writing a mail down."""


class Purpose(StrEnum):
    VERIFY_EMAIL = "VERIFY_EMAIL"
    RESET_PASSWORD = "RESET_PASSWORD"  # noqa: S105  # the name of a purpose


LIFE = {Purpose.VERIFY_EMAIL: timedelta(hours=24), Purpose.RESET_PASSWORD: timedelta(hours=1)}


class LinkRefused(NotAllowedNow):
    """One text for every cause: used, expired, made up, or for something else."""

    reason = "LINK_REFUSED"

    def __init__(self) -> None:
        super().__init__("the link was used already or has expired: ask for another one")


@dataclass(frozen=True, slots=True)
class Link:
    """`email` is the address that was written to. A used link is kept until it would have expired, so that its second use is noticed."""

    digest: bytes
    purpose: Purpose
    user: str
    email: str
    expires_at: datetime
    used_at: datetime | None = None

    def good(self, purpose: Purpose, now: datetime) -> bool:
        return self.purpose is purpose and self.used_at is None and now < self.expires_at


@dataclass(frozen=True, slots=True)
class LinkToken:
    """`{organization}.{secret}`: what the mail carries. Its secret has 256 random bits and needs no slow hash."""

    organization: str
    secret: str

    def __str__(self) -> str:
        return f"{self.organization}.{self.secret}"

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(str(self).encode()).digest()

    def link(self, purpose: Purpose, user: str, email: str, now: datetime) -> Link:
        return Link(self.digest, purpose, user, email, now + LIFE[purpose])

    @classmethod
    def parse(cls, text: str) -> "LinkToken":
        """Raises InvalidInput if there is none, LinkRefused if it is none of ours."""
        if not 1 <= len(text) <= _LONGEST:
            raise InvalidInput.of("token", f"must be 1 to {_LONGEST} characters")
        organization, _, secret = text.partition(".")
        if not is_organization_id(organization) or not secret:
            raise LinkRefused
        return cls(organization, secret)


@asynccontextmanager
async def taking_at_least(seconds: float) -> AsyncIterator[None]:
    """Ends no sooner than this after it began, so that its duration does not tell what was done inside. Refusals are held back, too."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    try:
        yield
    finally:
        await asyncio.sleep(end - loop.time())
