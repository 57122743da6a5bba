"""A batch of learning events and the verdict on each."""

from collections.abc import Callable, Container, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from domain.ingestion.clock import LEEWAY
from domain.ingestion.rules import Fault
from domain.ingestion.shape import Batch as AnyBatch
from domain.ingestion.shape import Entry as AnyEntry

Batch = TypeVar("Batch", bound=AnyBatch)
Entry = TypeVar("Entry", bound=AnyEntry)

MOST_EVENTS = 10_000
"""In one batch."""

_LONGEST_ID_TOLD = 128


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refused event: its index in the batch, its id as sent (no more than 128 characters of it), and what is wrong with it."""

    index: int
    id: str
    field: str
    description: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """How many events of a batch the log has, those that were refused, and what was added to their times for the client's clock."""

    accepted: int
    refused: Sequence[Refusal]
    clock_correction: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Judged(Generic[Entry]):
    """`fit` belongs into the log, in the order given. `repeated` counts the events that came twice, alike: the log needs them once."""

    fit: Sequence[Entry]
    repeated: int
    refused: Sequence[Refusal]


def judge(
    batch: Batch, now: datetime, only: Container[str] | None, examine: Callable[[Batch, float], Sequence[Entry | Fault]]
) -> Judged[Entry]:
    """Returns the verdicts, by what `examine` makes of the events and the last moment allowed. With `only` (names, such as
    `learners/ada`), everybody else's events are refused.

    An id stands for one event: of different events with one id, the first that is fit is taken.
    """
    by_id: dict[Hashable, Entry] = {}
    refused: list[Refusal] = []
    repeated = 0
    for index, found in enumerate(examine(batch, (now + LEEWAY).timestamp())):
        if isinstance(found, Fault):
            fault = found
        elif only is not None and found.learner not in only:
            fault = Fault("learner", "must be yourself, or a learner whom you see")
        else:
            first = by_id.setdefault(found.id, found)
            if first is found:
                continue
            if first == found:
                repeated += 1
                continue
            fault = Fault("id", "must not be the id of another event")
        refused.append(Refusal(index, batch.events[index].id[:_LONGEST_ID_TOLD], *fault))
    return Judged(list(by_id.values()), repeated, refused)
