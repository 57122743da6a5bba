"""The rows of every report. Counts are exact; a share or mean without anything to divide by is None. docs/reports.md defines each number.

A row begins with what it is about, its key, by which a report is sorted and paged.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import ClassVar

from domain.analytics.model import ReportKind
from domain.shared.errors import InvalidInput

Share = float | None


@dataclass(frozen=True, slots=True)
class Summary:
    key: ClassVar[tuple[str, ...]] = ()
    learners: int
    attempts: int
    correct: int
    share_correct: Share
    mean_response_seconds: float | None
    hints: int
    sessions: int
    completed_sessions: int
    first_day: date | None
    last_day: date | None


@dataclass(frozen=True, slots=True)
class Day:
    key: ClassVar[tuple[str, ...]] = ("day",)
    day: date
    learners: int
    attempts: int
    correct: int
    share_correct: Share
    mean_response_seconds: float | None
    hints: int


@dataclass(frozen=True, slots=True)
class Learner:
    key: ClassVar[tuple[str, ...]] = ("learner",)
    learner: str
    attempts: int
    correct: int
    share_correct: Share
    active_days: int
    response_seconds: float
    sessions: int
    skills: int
    mastered_skills: int
    first_day: date
    last_day: date


@dataclass(frozen=True, slots=True)
class Cell:
    key: ClassVar[tuple[str, ...]] = ("learner", "skill")
    learner: str
    skill: str
    attempts: int
    correct: int
    share_correct: Share
    mastery: float | None
    mastery_lower: float | None
    mastery_upper: float | None


@dataclass(frozen=True, slots=True)
class Item:
    key: ClassVar[tuple[str, ...]] = ("item",)
    item: str
    learners: int
    correct: int
    difficulty: float
    discrimination: float | None
    median_response_seconds: float | None
    attempts: int


@dataclass(frozen=True, slots=True)
class Choice:
    key: ClassVar[tuple[str, ...]] = ("item", "choice")
    item: str
    choice: str
    picks: int
    share: float
    mean_rest_share: Share


@dataclass(frozen=True, slots=True)
class Week:
    key: ClassVar[tuple[str, ...]] = ("week",)
    week: date
    learners: int
    attempts: int
    attempts_per_learner: float | None
    days_per_learner: float | None
    sessions: int
    completed_sessions: int
    session_completion: Share
    median_session_minutes: float | None


@dataclass(frozen=True, slots=True)
class CohortWeek:
    key: ClassVar[tuple[str, ...]] = ("cohort", "weeks_later")
    cohort: date
    weeks_later: int
    learners: int
    active: int
    share_active: float


@dataclass(frozen=True, slots=True)
class PolicyArm:
    key: ClassVar[tuple[str, ...]] = ("policy_version", "arm", "mode", "shadow")
    policy_version: str
    arm: str
    mode: str
    shadow: bool
    decisions: int
    learners: int
    items: int
    empty: int
    fell_back: int
    answered: int
    correct: int
    share_correct: Share
    mean_predicted: float | None


Row = Summary | Day | Learner | Cell | Item | Choice | Week | CohortWeek | PolicyArm
KeyPart = str | int | bool | date

ROWS: Mapping[ReportKind, type[Row]] = {
    ReportKind.SUMMARY: Summary,
    ReportKind.DAYS: Day,
    ReportKind.LEARNERS: Learner,
    ReportKind.HEAT_MAP: Cell,
    ReportKind.ITEMS: Item,
    ReportKind.CHOICES: Choice,
    ReportKind.ENGAGEMENT: Week,
    ReportKind.RETENTION: CohortWeek,
    ReportKind.DECISIONS: PolicyArm,
}

_READ: Mapping[str, Callable[[str], KeyPart]] = {
    "day": date.fromisoformat,
    "week": date.fromisoformat,
    "cohort": date.fromisoformat,
    "weeks_later": int,
    "shadow": lambda text: {"True": True, "False": False}[text],
}


def key_of(row: Row) -> tuple[KeyPart, ...]:
    return tuple(getattr(row, name) for name in row.key)


def cursor_at(row: Row) -> tuple[str, ...]:
    """The cursor of the page after this row."""
    return tuple(map(str, key_of(row)))


def key_in(kind: ReportKind, cursor: tuple[str, ...]) -> tuple[KeyPart, ...]:
    """The key that a cursor stands for. Raises InvalidInput if no page of the report returned it."""
    names = ROWS[kind].key
    try:
        key = tuple(_READ.get(name, str)(text) for name, text in zip(names, cursor, strict=True))
    except (ValueError, KeyError):
        key = ()
    if not key or tuple(map(str, key)) != cursor or any(isinstance(each, int) and abs(each) > 2**31 - 1 for each in key):
        raise InvalidInput.of("page_token", "must be the next_page_token of the page before, unchanged")
    return key


def monday_of(day: date) -> date:
    """The first day of the day's week."""
    return day - timedelta(days=day.weekday())
