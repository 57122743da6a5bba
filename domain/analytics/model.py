"""What reports are made of: facts that the log tells, and the questions that are asked of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from domain.shared.errors import InvalidInput, NotFound

MOST_LEARNERS = 1_000
"""That a request names."""
NOBODY = "-"
"""Stands among the learners of a query for none at all: no learner can be called that."""
MASTERED = 0.8
"""P(mastered) from which a skill counts as mastered, as it does for the skills that build on it."""


class LearnerNotFound(NotFound):
    reason = "LEARNER_NOT_FOUND"


@dataclass(frozen=True, slots=True)
class Attempted:
    """A learner answered an item. `id` is the event's; `choices` are the ids of those that were picked, empty where it is not told."""

    id: str
    learner: str
    course: str
    item: str
    skills: tuple[str, ...]
    correct: bool
    score: float
    answered_at: datetime
    response_time: timedelta | None = None
    hints: int = 0
    decision: str = ""
    choices: tuple[str, ...] = ()

    @property
    def day(self) -> date:
        return self.answered_at.astimezone(UTC).date()

    @property
    def place(self) -> tuple[datetime, str]:
        """Orders attempts as they were made, whatever the order in which the log has them."""
        return self.answered_at, self.id


@dataclass(frozen=True, slots=True)
class SessionMarked:
    """A learner's session began or, if `ended`, was ended. The first beginning and the last end count."""

    learner: str
    session: str
    course: str
    at: datetime
    ended: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """An item that a decision chose; `predicted` is P(correct), None if there was no prediction."""

    item: str
    predicted: float | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """A policy decided what a learner should practise. `fell_back`: an input was missing."""

    id: str
    learner: str
    course: str
    decided_at: datetime
    policy_version: str
    arm: str
    mode: str
    shadow: bool
    fell_back: bool
    shown: tuple[Shown, ...]

    @property
    def day(self) -> date:
        return self.decided_at.astimezone(UTC).date()


@dataclass(frozen=True, slots=True)
class MasteryTold:
    """A learner's mastery of a skill after the attempt with this sequence, or after the repair with this `revision`."""

    learner: str
    skill: str
    day: date
    sequence: int
    revision: int
    mean: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Facts:
    """What a piece of the log tells of one organization, in the log's order."""

    attempts: Sequence[Attempted] = ()
    sessions: Sequence[SessionMarked] = ()
    decisions: Sequence[Decided] = ()
    masteries: Sequence[MasteryTold] = ()


class ReportKind(StrEnum):
    SUMMARY = "SUMMARY"
    DAYS = "DAYS"
    LEARNERS = "LEARNERS"
    HEAT_MAP = "HEAT_MAP"
    ITEMS = "ITEMS"
    CHOICES = "CHOICES"
    ENGAGEMENT = "ENGAGEMENT"
    RETENTION = "RETENTION"
    DECISIONS = "DECISIONS"


@dataclass(frozen=True, slots=True)
class ReportQuery:
    """What is asked, for a screen and for a file alike: a report on a course, on days from `start` to `end`, both included, of the
    learners named or, if none is, of all. None stands for no limit. Reports on items may be asked of some `items` only."""

    kind: ReportKind
    course: str
    start: date | None = None
    end: date | None = None
    learners: tuple[str, ...] = ()
    items: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises InvalidInput."""
        if self.start is not None and self.end is not None and self.end < self.start:
            raise InvalidInput.of("end_date", "must not be before start_date")

    def narrowed(self, seen: frozenset[str] | None) -> "ReportQuery":
        """The same of those learners only that whoever asks may see; None: all. Raises LearnerNotFound if another is named."""
        if seen is None:
            return self
        if not seen.issuperset(self.learners):
            raise LearnerNotFound("no such learner")
        return replace(self, learners=self.learners or tuple(sorted(seen)) or (NOBODY,))

    @property
    def first_day(self) -> date:
        return self.start or date.min

    @property
    def last_day(self) -> date:
        return self.end or date.max

    @property
    def of_all_days(self) -> bool:
        return self.start is None and self.end is None


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild of the aggregates found; `differences` counts rows that were missing, superfluous or wrong."""

    attempts: int
    rows: int
    differences: int
