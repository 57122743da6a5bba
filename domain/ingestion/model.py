"""A batch of learning events and the verdict on each."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from domain.ingestion.clock import LEEWAY
from domain.ingestion.rules import Fault, fault_of
from domain.ingestion.shape import LearningEvent

Event = TypeVar("Event", bound=LearningEvent)

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
class Judged(Generic[Event]):
    """`fit` belongs into the log, in the order given. `repeated` counts the events that came twice, alike: the log needs them once."""

    fit: Sequence[Event]
    repeated: int
    refused: Sequence[Refusal]


def judge(events: Sequence[Event], now: datetime, only: Container[str] | None) -> Judged[Event]:
    """Returns the verdicts. With `only` (names, such as `learners/ada`), everybody else's events are refused.

    An id stands for one event: of different events with one id, the first that is fit is taken. Ids come out in lower case, which
    is what makes them comparable everywhere.
    """
    latest = (now + LEEWAY).timestamp()
    by_id: dict[str, Event] = {}
    refused: list[Refusal] = []
    repeated = 0
    for index, event in enumerate(events):
        fault = fault_of(event, latest)
        if fault is None and only is not None and event.learner not in only:
            fault = Fault("learner", "must be yourself, or a learner whom you see")
        if fault is None:
            id = event.id
            if not id.islower():
                event.id = id = id.lower()
            first = by_id.setdefault(id, event)
            if first is event:
                continue
            if first == event:
                repeated += 1
                continue
            fault = Fault("id", "must not be the id of another event")
        refused.append(Refusal(index, event.id[:_LONGEST_ID_TOLD], *fault))
    return Judged(list(by_id.values()), repeated, refused)
