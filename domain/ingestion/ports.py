"""What ingestion needs."""

from collections.abc import Sequence
from datetime import date
from typing import Protocol, TypeVar

from domain.ingestion.rules import Fault
from domain.ingestion.shape import Batch, Entry

Batch_contra = TypeVar("Batch_contra", bound=Batch, contravariant=True)
Entry_co = TypeVar("Entry_co", bound=Entry, covariant=True)
Entry_contra = TypeVar("Entry_contra", bound=Entry, contravariant=True)


class Examiner(Protocol[Batch_contra, Entry_co]):
    """Makes entries of the events that obey the rules, their ids in lower case, which is what makes ids comparable everywhere."""

    def __call__(self, batch: Batch_contra, latest: float) -> Sequence[Entry_co | Fault]:
        """Returns the entry of each event, or the first fault found in it. `latest` is the last moment allowed, in seconds since 1970."""
        ...


class EventLog(Protocol[Entry_contra]):
    """Keeps events for ever, each learner's in order."""

    async def append(self, organization: str, entries: Sequence[Entry_contra]) -> None:
        """Returns when the log has all of them. Raises Unavailable otherwise; some may be in it then. Batches never mix."""


class EventCounter(Protocol):
    """How many events an organization has sent on a day. A store that is away counts nothing and keeps nobody waiting."""

    async def add(self, organization: str, day: date, count: int) -> int:
        """Returns how many there are with these; `count` may be negative."""
        ...

    async def of(self, organization: str, day: date) -> int:
        """Raises Unavailable."""
        ...


class NothingCounted(EventCounter):
    """For a process without a store that counts."""

    async def add(self, organization: str, day: date, count: int) -> int:
        return 0

    async def of(self, organization: str, day: date) -> int:
        return 0
