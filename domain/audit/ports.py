"""What the audit log needs of the world."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

from domain.audit.model import Head, Link, SignedEnd
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class ActFilter:
    """Which acts are asked for; what is None or empty does not narrow."""

    start: datetime | None = None
    end: datetime | None = None
    actor: str = ""
    act: str = ""


class Chain(Protocol):
    """The acts of one organization. Nothing in it can be changed or removed."""

    async def hold(self) -> None:
        """Until the unit ends, nobody else adds to the chain."""

    async def tip(self) -> Link | None:
        """The last link, if any."""
        ...

    async def known(self, event_ids: Collection[str]) -> frozenset[str]:
        """Those of these events that the chain has."""
        ...

    async def add(self, links: Sequence[Link]) -> None: ...

    async def links(self, after: int, most: int) -> list[Link]:
        """The links after that number, at most so many, in their order."""
        ...

    async def page(self, wanted: ActFilter, request: PageRequest) -> Page[Link]:
        """By number. Raises InvalidInput naming `page_token` when the cursor is not one of its."""
        ...

    async def add_head(self, head: Head) -> None: ...

    async def heads(self, after: int, through: int | None) -> list[Head]:
        """The heads whose number is in that range, in their order; None: to the end."""
        ...

    async def newest_head(self) -> Head | None: ...


class HeadOutbox(Protocol):
    async def add(self, head: Head) -> None:
        """Has a head published when the unit commits: a copy that whoever can write to the tables cannot reach."""


class AuditUnit(Protocol):
    """One transaction; leaving it without commit() undoes it."""

    chain: Chain
    outbox: HeadOutbox

    async def commit(self) -> None: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


NewAuditUnit = Callable[[str], AuditUnit]
"""Returns a unit for an organization's id, or PLATFORM."""


class HeadSigner(Protocol):
    """Vouches for the end of a chain with a key that is not in the database."""

    def sign(self, end: SignedEnd, now: datetime) -> str: ...

    def read(self, signature: str) -> SignedEnd | None:
        """What a signature vouches for, by the key of now or an earlier one; None if it is not good."""
        ...

    def key_of(self, signature: str) -> str:
        """The public key that verifies a signature; empty if none does."""
        ...

    @property
    def public_keys(self) -> Sequence[str]:
        """Of what is signed now, then the earlier ones, the latest first: 32 bytes each in base64url."""
        ...
