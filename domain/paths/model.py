"""A learner's path: its goal, what people decided about it, and its steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final

from domain.paths.effort import NEW_PACE, NO_MINUTES, Mastery, Minutes, Pace
from domain.shared.caller import Caller, Role
from domain.shared.errors import AlreadyExists, Conflict, FieldViolation, Forbidden, InvalidInput, NotAllowedNow, NotFound
from domain.shared.ids import chosen_id

PREREQUISITE_TARGET: Final = 0.8
"""The mastery at which practice of the next skill begins: what comes before a goal skill needs no more."""
DEFAULT_TARGET: Final = 0.8
REOPEN_MARGIN: Final = 0.05
"""A step that is done stays so until its mastery is this much below the target, so that one slip does not reopen it."""
NEVER: Final = datetime.min.replace(tzinfo=UTC)
MOST_GOAL_SKILLS: Final = 1_000
MOST_MINUTES: Final = 720
MOST_ACTIVE: Final = 20
MOST_ORDERED: Final = 100
MOST_OVERRIDES: Final = 500
FARTHEST: Final = timedelta(days=3_660)


class PathNotFound(NotFound):
    reason = "PATH_NOT_FOUND"


class CourseNotPublished(NotFound):
    reason = "COURSE_NOT_PUBLISHED"


class PathAlreadyExists(AlreadyExists):
    reason = "PATH_ALREADY_EXISTS"


class PathChangedMeanwhile(Conflict):
    reason = "PATH_CHANGED_MEANWHILE"


class PathArchived(NotAllowedNow):
    reason = "PATH_ARCHIVED"


class TooManyPaths(NotAllowedNow):
    reason = "TOO_MANY_PATHS"


class TooManyOverrides(NotAllowedNow):
    reason = "TOO_MANY_OVERRIDES"


class CourseWithoutSkills(NotAllowedNow):
    reason = "COURSE_WITHOUT_SKILLS"


class PrerequisitesCyclic(NotAllowedNow):
    reason = "PREREQUISITES_CYCLIC"


class SetByTeacher(Forbidden):
    reason = "SET_BY_TEACHER"


class OverrideNotAllowed(Forbidden):
    reason = "OVERRIDE_NOT_ALLOWED"


class StepStatus(StrEnum):
    KNOWN = "KNOWN"
    """Mastered since it came on the path: no step, but one if its mastery is lost."""
    LOCKED = "LOCKED"
    OPEN = "OPEN"
    DONE = "DONE"
    SKIPPED = "SKIPPED"


class OverrideKind(StrEnum):
    PIN_FIRST = "PIN_FIRST"
    SKIP = "SKIP"
    ADD = "ADD"
    LOCK_ORDER = "LOCK_ORDER"


class Verdict(StrEnum):
    ON_TRACK = "ON_TRACK"
    TIGHT = "TIGHT"
    LATE = "LATE"


class PathState(StrEnum):
    ACTIVE = "ACTIVE"
    ACHIEVED = "ACHIEVED"
    ARCHIVED = "ARCHIVED"


class Cause(StrEnum):
    CREATED = "CREATED"
    UPDATED = "UPDATED"
    OVERRIDDEN = "OVERRIDDEN"
    MASTERY = "MASTERY"
    PUBLICATION = "PUBLICATION"
    DAY = "DAY"
    ARCHIVED = "ARCHIVED"


@dataclass(frozen=True, slots=True)
class Goal:
    """To master `skills` (all of the course if empty) to P(mastered) >= `target` by the day `due`, with so many minutes a day."""

    due: date
    minutes_per_day: int
    skills: tuple[str, ...] = ()
    target: float = DEFAULT_TARGET

    def faults(self, today: date) -> list[FieldViolation]:
        """Returns what is wrong with it whatever the course."""
        rules = (
            (today <= self.due <= today + FARTHEST, "due_date", f"must be from {today} (today, UTC) to {today + FARTHEST}"),
            (1 <= self.minutes_per_day <= MOST_MINUTES, "minutes_per_day", f"must be from 1 to {MOST_MINUTES}"),
            (0.5 <= self.target <= 0.99, "target_mastery", "must be from 0.5 to 0.99"),
            (len(self.skills) <= MOST_GOAL_SKILLS, "goal_skills", f"must be at most {MOST_GOAL_SKILLS:,}"),
            (len(set(self.skills)) == len(self.skills), "goal_skills", "must not name a skill twice"),
        )
        return [FieldViolation(f"path.{name}", description) for holds, name, description in rules if not holds]


@dataclass(frozen=True, slots=True)
class Override:
    """What a person decided. `skills` is one skill, or for an order all of it; `by` is a user's id."""

    kind: OverrideKind
    skills: tuple[str, ...]
    by: str
    at: datetime
    note: str = ""

    def same_as(self, other: "Override") -> bool:
        """Whether it says the same, whoever says it."""
        return (self.kind, self.skills) == (other.kind, other.skills)


@dataclass(frozen=True, slots=True)
class Step:
    """One skill on the path. `start` and `end` are None for what is done, skipped or known; `reason` is for the learner to read.

    `reached` is whether the target was reached and not lost again; `known`, whether that was so from the beginning.
    """

    skill: str
    title: str
    prerequisites: tuple[str, ...]
    target: float
    mastery: Mastery
    status: StepStatus = StepStatus.LOCKED
    reached: bool = False
    known: bool = False
    minutes: Minutes = NO_MINUTES
    start: date | None = None
    end: date | None = None
    reason: str = ""

    def measured(self, mastery: Mastery) -> "Step":
        """Returns the step with this mastery, and whether it still or again is done by it."""
        reached = mastery.mean >= (self.target - REOPEN_MARGIN if self.reached else self.target)
        return replace(self, mastery=mastery, reached=reached, known=self.known and reached)

    @property
    def left(self) -> bool:
        return self.status in (StepStatus.LOCKED, StepStatus.OPEN)


@dataclass(frozen=True, slots=True)
class Feasibility:
    """Whether the steps fit until the due day. `sufficient` are the minutes a day that would do, 0 if no allowed number would;
    `droppable` are skills to leave out for the rest to fit."""

    verdict: Verdict = Verdict.ON_TRACK
    minutes: Minutes = NO_MINUTES
    available: int = 0
    missing: int = 0
    end: date | None = None
    sufficient: int = 0
    droppable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Path:
    """`steps` are in their order, KNOWN ones included. `edition` counts what people changed; `sequence` is the number of the learner's
    newest attempt that it knows and `repair` that of the newest repair of the learner's mastery, 0 if there was none. `teacher_settings`
    are the fields that a teacher set, with the teacher's id."""

    learner: str
    id: str
    course: str
    goal: Goal
    creator: str = ""
    created_at: datetime = NEVER
    title: str = ""
    learner_may_skip: bool = False
    overrides: tuple[Override, ...] = ()
    teacher_settings: Mapping[str, str] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    feasibility: Feasibility = Feasibility()
    summary: str = ""
    pace: Pace = NEW_PACE
    sequence: int = 0
    repair: int = 0
    publication: int = 0
    planned_on: date = date.min
    revision: int = 0
    edition: int = 1
    updated_at: datetime | None = None
    archived_at: datetime | None = None

    @property
    def name(self) -> str:
        return f"learners/{self.learner}/paths/{self.id}"

    @property
    def visible(self) -> tuple[Step, ...]:
        return tuple(each for each in self.steps if each.status is not StepStatus.KNOWN)

    @property
    def state(self) -> PathState:
        if self.archived_at is not None:
            return PathState.ARCHIVED
        return PathState.ACTIVE if any(each.left for each in self.steps) else PathState.ACHIEVED

    def check_changeable(self, edition: int | None) -> None:
        """Raises PathArchived, or PathChangedMeanwhile if `edition` is given and is not the path's."""
        if self.archived_at is not None:
            raise PathArchived(f"the path {self.id} is archived since {self.archived_at:%Y-%m-%d}")
        self.check_edition(edition)

    def check_edition(self, edition: int | None) -> None:
        if edition is not None and edition != self.edition:
            raise PathChangedMeanwhile(f"somebody changed the path {self.id} meanwhile: read it again")

    def faults(self, today: date) -> list[FieldViolation]:
        """Returns what is wrong with the path whatever the course."""
        found = self.goal.faults(today)
        try:
            chosen_id(self.id, "path_id")
        except InvalidInput as error:
            found.extend(error.violations)
        if len(self.title) > 200 or "\0" in self.title:
            found.append(FieldViolation("path.title", "must have at most 200 characters, without NUL"))
        return found


@dataclass(frozen=True, slots=True)
class PathChange:
    """None leaves a field as it is."""

    title: str | None = None
    skills: tuple[str, ...] | None = None
    target: float | None = None
    due: date | None = None
    minutes_per_day: int | None = None
    learner_may_skip: bool | None = None

    def fields(self) -> dict[str, object]:
        """Returns what changes, by the name of the field in the contract."""
        every = {
            "title": self.title,
            "goal_skills": self.skills,
            "target_mastery": self.target,
            "due_date": self.due,
            "minutes_per_day": self.minutes_per_day,
            "learner_may_skip": self.learner_may_skip,
        }
        return {name: value for name, value in every.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Revision:
    """What changed in a path at one moment, and why. `by` is a user's id, empty if the path adapted by itself."""

    learner: str
    path: str
    number: int
    cause: Cause
    at: datetime
    reason: str
    by: str = ""
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PathAdapted:
    """The event: a path has a new revision."""

    path: Path
    revision: Revision


@dataclass(frozen=True, slots=True)
class MasteryUpdate:
    """What one counted attempt says: the mastery of its skills after it. `seconds` is how long the answer took, None if not told.

    With a `repair`, which counts from 1, it is no attempt: after the newest one all of the learner's mastery was computed anew, and `skills`
    are all that was ever practised.
    """

    learner: str
    sequence: int
    skills: Mapping[str, Mastery]
    seconds: float | None = None
    repair: int = 0

    @property
    def version(self) -> tuple[int, int]:
        """Its place among all that is told of the learner: a repair comes right after the attempt of the same sequence."""
        return self.sequence, self.repair


@dataclass(frozen=True, slots=True)
class LearnerMastery:
    """Mastery per skill after the learner's attempt number `sequence`; skills never practised are missing."""

    sequence: int
    skills: Mapping[str, Mastery]


def teaches(caller: Caller) -> bool:
    """Whether the caller decides for learners, and not only for themselves."""
    return not caller.roles.isdisjoint((Role.TEACHER, Role.ADMIN))


def refuse(faults: Sequence[FieldViolation]) -> None:
    """Raises InvalidInput with all faults, if there are any."""
    if faults:
        raise InvalidInput(faults)
