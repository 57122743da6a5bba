"""Aggregates that facts add up to, whatever their order: counts are added, and of several first answers the first one stays."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

from domain.analytics.model import Attempted, MasteryTold, SessionMarked

_MICROSECOND = timedelta(microseconds=1)
DayKey = tuple[str, date, str]
"""Course, day, learner."""
SkillKey = tuple[str, str, str, date]
"""Course, learner, skill, day."""
ItemKey = tuple[str, str, str, date]
"""Course, item, learner, day."""
K = TypeVar("K", bound=Hashable)


@dataclass(slots=True)
class Activity:
    """What was done. Times are whole microseconds, so that sums do not depend on their order."""

    attempts: int = 0
    correct: int = 0
    hints: int = 0
    timed: int = 0
    micros: int = 0

    def add(self, attempt: Attempted) -> None:
        self.attempts += 1
        self.correct += attempt.correct
        self.hints += attempt.hints
        if (micros := micros_of(attempt)) is not None:
            self.timed += 1
            self.micros += micros


@dataclass(slots=True)
class FirstAnswer:
    """A learner's first answer to an item, on a day or after a decision, and how many answers there are."""

    first: Attempted
    attempts: int = 1

    def add(self, attempt: Attempted) -> None:
        self.attempts += 1
        self.first = min(self.first, attempt, key=lambda each: each.place)


@dataclass(slots=True)
class Tally:
    """What attempts add to the aggregates; each attempt is to be added once."""

    days: dict[DayKey, Activity] = field(default_factory=dict)
    skills: dict[SkillKey, Activity] = field(default_factory=dict)
    items: dict[ItemKey, FirstAnswer] = field(default_factory=dict)
    decided: dict[tuple[str, str, str], FirstAnswer] = field(default_factory=dict)
    """By decision, learner and item: the first answer that names the decision."""

    @classmethod
    def of(cls, attempts: Iterable[Attempted]) -> "Tally":
        tally = cls()
        for each in attempts:
            tally._add(each)
        return tally

    def _add(self, attempt: Attempted) -> None:
        day = attempt.day
        self.days.setdefault((attempt.course, day, attempt.learner), Activity()).add(attempt)
        for skill in set(attempt.skills):
            self.skills.setdefault((attempt.course, attempt.learner, skill, day), Activity()).add(attempt)
        _first(self.items, (attempt.course, attempt.item, attempt.learner, day), attempt)
        if attempt.decision:
            _first(self.decided, (attempt.decision, attempt.learner, attempt.item), attempt)


def _first(firsts: dict[K, FirstAnswer], key: K, attempt: Attempted) -> None:
    if (known := firsts.get(key)) is None:
        firsts[key] = FirstAnswer(attempt)
    else:
        known.add(attempt)


def micros_of(attempt: Attempted) -> int | None:
    return None if attempt.response_time is None else attempt.response_time // _MICROSECOND


def newest_of_days(masteries: Iterable[MasteryTold]) -> list[MasteryTold]:
    """The last word on each learner, skill and day, in the order of these."""
    newest: dict[tuple[str, str, date], MasteryTold] = {}
    for each in masteries:
        key = (each.learner, each.skill, each.day)
        if key not in newest or (each.sequence, each.revision) > (newest[key].sequence, newest[key].revision):
            newest[key] = each
    return [newest[key] for key in sorted(newest)]


@dataclass(slots=True)
class Session:
    """A session as far as it is known. Of several courses told the smallest id is taken; outside any it is empty."""

    course: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None

    def add(self, mark: SessionMarked) -> None:
        self.course = min(filter(None, (self.course, mark.course)), default="")
        if mark.ended:
            self.ended_at = max(filter(None, (self.ended_at, mark.at)))
        else:
            self.started_at = min(filter(None, (self.started_at, mark.at)))

    @property
    def day(self) -> date | None:
        """The day on which it began; None while only its end is known."""
        return self.started_at.astimezone(UTC).date() if self.started_at else None

    @property
    def length(self) -> timedelta | None:
        """Between beginning and end; None unless both are known, in this order."""
        if self.started_at is None or self.ended_at is None or self.ended_at < self.started_at:
            return None
        return self.ended_at - self.started_at


def by_session(marks: Iterable[SessionMarked]) -> dict[tuple[str, str], Session]:
    """What is known of each session, by learner and session, in the order of these."""
    found: dict[tuple[str, str], Session] = {}
    for each in marks:
        found.setdefault((each.learner, each.session), Session()).add(each)
    return {key: found[key] for key in sorted(found)}
