"""What assessment needs of the world."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

from domain.assessment.model.items import Item
from domain.assessment.model.responses import Response, RevealedHint
from domain.assessment.testing.banks import Bank, BankVersion
from domain.assessment.testing.blueprints import Blueprint
from domain.assessment.testing.sessions import Session, Taking
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class PublishedBatch:
    """Items of a course's publication `number`, keys included; items that are not in it are left out."""

    number: int
    items: tuple[Item, ...]


class PublishedItems(Protocol):
    """The items of every course's newest publication."""

    async def get(self, organization: str, course: str, item: str) -> Item:
        """Returns the published revision. Raises CourseNotPublished, ItemNotPublished, or Unavailable when it cannot be known now."""
        ...

    async def refresh(self, organization: str, course: str, number: int) -> None:
        """Learns that a course has the publication `number`: its items in use are brought up to date. Raises Unavailable."""
        ...


class CatalogContent(Protocol):
    """Where items are written and published."""

    async def published(self, organization: str, course: str, items: Sequence[str]) -> PublishedBatch:
        """Returns those of at most 200 items that the newest publication holds. Raises CourseNotPublished or Unavailable."""
        ...


class HeldItems(Protocol):
    """The items fetched so far, kept so that the catalog's absence stops no learner. Revisions never change."""

    async def newest(self, organization: str, course: str, item: str) -> tuple[int, Item] | None:
        """Returns the item with the newest publication it is known to be in, or None."""
        ...

    async def of_course(self, organization: str, course: str, before: int) -> tuple[str, ...]:
        """Returns the ids of the course's items that are held from publications before number `before`."""
        ...

    async def hold(self, organization: str, course: str, asked: Sequence[str], batch: PublishedBatch) -> None:
        """Keeps a batch; what was asked for and is not in it is no longer held for the course. An older batch changes nothing."""
        ...


class Responses(Protocol):
    """Graded answers, kept for ever."""

    async def keep(self, organization: str, response: Response, skills: Sequence[str]) -> Response:
        """Keeps a response and publishes the attempt, both or neither, counting the hints revealed for it.

        Returns the response as kept, or the one that already had its id.
        """
        ...

    async def find(self, organization: str, response_id: str) -> Response | None: ...

    async def page(self, organization: str, learner: str, request: PageRequest, sealed: bool = True) -> Page[Response]:
        """A learner's responses, newest first; with the sealed ones or without."""
        ...


class Hints(Protocol):
    """Hints revealed, within one unit."""

    async def active(self, learner: str, item: str) -> Sequence[RevealedHint]:
        """Those revealed since the learner's last response to the item, in order."""
        ...

    async def lock(self, learner: str, item: str) -> None:
        """Makes others who reveal hints of this item to this learner wait for the end of the unit."""
        ...

    async def find(self, request_id: str) -> RevealedHint | None: ...

    async def add(self, hint: RevealedHint) -> None:
        """Raises RequestIdReused if another request came first with this id."""
        ...


class HintUnit(Protocol):
    """One transaction; leaving it without commit() undoes it."""

    hints: Hints

    async def commit(self) -> None: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class AttemptListener(Protocol):
    """Progress and the scheduler, told at once so that the very next decision knows of the answer."""

    async def hear(self, organization: str, response: Response, skills: Sequence[str]) -> None:
        """Best effort within about a second; never raises. The log tells them again, so nothing is lost."""
        ...


class Banks(Protocol):
    """Calibrated item banks, within one unit."""

    async def add(self, version: BankVersion, request_id: str) -> BankVersion:
        """Keeps a version and returns it, or the one that has this content already. Raises RequestIdReused if another version was
        published with the request id."""
        ...

    async def get(self, bank: str, version: str) -> BankVersion:
        """Returns a version with its items. Raises BankVersionNotFound."""
        ...

    async def versions(self, bank: str, request: PageRequest) -> Page[BankVersion]:
        """A bank's versions without their items, newest first."""
        ...

    async def find(self, bank: str) -> Bank | None: ...

    async def page(self, request: PageRequest) -> Page[Bank]:
        """Banks by id."""
        ...


class Blueprints(Protocol):
    """Test blueprints, within one unit."""

    async def add(self, blueprint: Blueprint, request_id: str) -> None:
        """Raises BlueprintExists if the id is taken, RequestIdReused if another blueprint was created with the request id."""
        ...

    async def created_by(self, request_id: str) -> Blueprint | None:
        """The blueprint that this request created."""
        ...

    async def get(self, blueprint: str) -> Blueprint:
        """Raises BlueprintNotFound."""
        ...

    async def page(self, request: PageRequest) -> Page[Blueprint]:
        """Blueprints by id, without their pools."""
        ...

    async def retired_at(self, blueprint: str) -> datetime | None:
        """When the blueprint was retired; None while it is in use."""
        ...

    async def retire(self, blueprint: str, now: datetime) -> None:
        """Keeps the first moment when told twice."""
        ...


class Sessions(Protocol):
    """Test sessions, within one unit."""

    async def lock(self, learner: str, blueprint: str) -> None:
        """Makes others who start this test for this learner wait for the end of the unit."""
        ...

    async def find(self, session: str) -> Session | None:
        """Others who find the session wait for the end of the unit."""
        ...

    async def takings(self, learner: str, blueprint: str) -> tuple[Taking, ...]:
        """The learner's sessions of this test."""
        ...

    async def save(self, session: Session) -> None:
        """Keeps a session, new or changed. Of the steps that were kept before, only the last can have changed."""
        ...

    async def page(self, learner: str, request: PageRequest) -> Page[Session]:
        """A learner's sessions without their steps, newest first."""
        ...


class SessionAnswers(Protocol):
    """The responses of tests, within one unit."""

    async def add(self, response: Response, skills: Sequence[str]) -> None:
        """Keeps a response and publishes its attempt. Raises RequestIdReused if its id is taken."""
        ...

    async def find(self, response_id: str) -> Response | None: ...

    async def unseal(self, session: str) -> None:
        """Lets the learner see the responses of a session."""
        ...


class PinnedItems(Protocol):
    """Items by revision, within one unit."""

    async def get(self, item: str, revision: int) -> Item:
        """Returns a revision that was held once. Raises ItemNotPublished if it never was."""
        ...


class SittingUnit(Protocol):
    """One transaction over everything that tests need; leaving it without commit() undoes it."""

    banks: Banks
    blueprints: Blueprints
    sessions: Sessions
    answers: SessionAnswers
    items: PinnedItems

    async def commit(self) -> None: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
