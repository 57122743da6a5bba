"""Answers, the attempts they become once counted, and what attempts say of a learner.

What each counted answer makes several of is a named tuple: it is made in a fifth of a dataclass's time.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from hashlib import blake2b
from math import sqrt
from typing import Final, NamedTuple

from domain.psychometrics import bkt
from domain.psychometrics.bkt import Estimate
from domain.psychometrics.response_model import Gaussian, ItemEvidence
from domain.shared.errors import FieldViolation, InvalidInput, NotFound
from domain.shared.ids import chosen_id

MOST_SKILLS: Final = 20
MOST_HINTS: Final = 100
MOST_REVISIONS: Final = 2**63 - 1
LONGEST_RESPONSE: Final = timedelta(hours=24)
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
# The door holds clients' clocks to minutes; here a day's grace keeps an answer from being lost to a skewed server.
AHEAD: Final = timedelta(days=1)
_CANONICAL_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class AttemptNotFound(NotFound):
    reason = "ATTEMPT_NOT_FOUND"


class SkillNeverPractised(NotFound):
    reason = "SKILL_NEVER_PRACTISED"


@dataclass(frozen=True, slots=True)
class Answer:
    """A learner's graded answer as it was reported. Ids are bare; `course` and `decision` are empty if there is none."""

    id: str
    learner: str
    course: str
    item: str
    skills: tuple[str, ...]
    score: float
    correct: bool
    answered_at: datetime
    item_revision: int = 0
    decision: str = ""
    response_time: timedelta | None = None
    hints_revealed: int = 0
    traceparent: str = field(default="", compare=False)
    """The trace that brought it; no part of its content."""

    def check(self, now: datetime) -> None:
        """Raises InvalidInput naming every field that makes the answer one that can never be counted."""
        found: list[FieldViolation] = []
        for value, name in self._ids():
            try:
                chosen_id(value, name)
            except InvalidInput as error:
                found.extend(error.violations)
        found.extend(FieldViolation(name, description) for holds, name, description in self._rules(now) if not holds)
        if found:
            raise InvalidInput(found)

    def _ids(self) -> list[tuple[str, str]]:
        named = [(self.learner, "learner"), (self.item, "attempt.item"), *[(each, "attempt.skills") for each in self.skills]]
        return [*named, (self.course, "course")] if self.course else named

    def _rules(self, now: datetime) -> tuple[tuple[bool, str, str], ...]:
        """What must hold, of which field, in words."""
        took = self.response_time
        return (
            (_is_canonical(self.id), "id", "must be a UUID in lower case with hyphens"),
            (not self.decision or _is_canonical(self.decision), "attempt.decision", "must name a UUID"),
            (1 <= len(self.skills) <= MOST_SKILLS, "attempt.skills", f"must be 1 to {MOST_SKILLS} skills"),
            (len(set(self.skills)) == len(self.skills), "attempt.skills", "must not name a skill twice"),
            (0 <= self.score <= 1, "attempt.score", "must be in [0, 1]"),
            (self.correct == (self.score == 1), "attempt.correct", "must be true exactly if the score is full"),
            (EARLIEST <= self.answered_at <= now + AHEAD, "occur_time", "must be after 1999 and not in the future"),
            (0 <= self.item_revision <= MOST_REVISIONS, "attempt.item_revision", "must not be negative"),
            (0 <= self.hints_revealed <= MOST_HINTS, "attempt.hints_revealed", f"must be 0 to {MOST_HINTS}"),
            (took is None or timedelta() <= took <= LONGEST_RESPONSE, "attempt.response_time", "must be 0 to 24 hours"),
        )

    def fingerprint(self) -> bytes:
        """Returns 16 bytes that tell contents apart. Stored for ever: never change what goes in."""
        content = "\x1f".join(
            (
                self.learner,
                self.course,
                self.item,
                " ".join(self.skills),
                repr(float(self.score)),
                self.answered_at.astimezone(UTC).isoformat(timespec="microseconds"),
                str(self.item_revision),
                self.decision,
                "" if self.response_time is None else str(self.response_time // timedelta(microseconds=1)),
                str(self.hints_revealed),
            )
        )
        return blake2b(content.encode(), digest_size=16).digest()


def _is_canonical(value: str) -> bool:
    return _CANONICAL_UUID.fullmatch(value) is not None


class Move(NamedTuple):
    """What an attempt did to the mean of one skill: what the attempt before had left, what time since then retained of it, and what the
    answer made of that."""

    skill: str
    before: float
    retained: float
    after: float


class Attempt(NamedTuple):
    """A counted answer. `sequence` counts the learner's attempts from 1; `predicted` is P(correct) before the answer was seen.

    `evidence` is what was known of the item then, by which the attempt can be recomputed; None if it was not kept.
    """

    answer: Answer
    sequence: int
    predicted: float
    model_version: str
    recorded_at: datetime
    moves: tuple[Move, ...]
    evidence: ItemEvidence | None = None


class SkillMastery(NamedTuple):
    """P(mastered) of one skill of one learner, as the last answer left it, and how many attempts it stands on."""

    learner: str
    skill: str
    estimate: Estimate
    attempt_count: int
    correct_count: int
    last_answered_at: datetime


class Standing(NamedTuple):
    """The mastery of a skill as of a moment: what the last answer left, and the `estimate` of what time has retained of it."""

    mastery: SkillMastery
    estimate: Estimate


@dataclass(frozen=True, slots=True, eq=False)
class SkillState:
    """What is kept of one learner's skill from attempt to attempt."""

    knowledge: bkt.State
    deviation: Gaussian
    mastery: SkillMastery

    def after(self, answer: Answer, knowledge: bkt.State, estimate: Estimate, deviation: Gaussian) -> "SkillState":
        """Returns the state after an answer that left the skill with this knowledge, the estimate from it, and this deviation."""
        learner, skill, _, attempts, correct, last = self.mastery
        last = max(last, answer.answered_at)
        mastery = SkillMastery(learner, skill, estimate, attempts + 1, correct + answer.correct, last)
        return SkillState(knowledge, deviation, mastery)


class CourseState(NamedTuple):
    """What is kept of one learner in one course: the belief about the ability and the skills practised there."""

    ability: Gaussian
    skills: frozenset[str]


class Ability(NamedTuple):
    """Ability in one course, in logits; `standard_error` is the standard deviation of the belief."""

    course: str
    mean: float
    standard_error: float

    @classmethod
    def of(cls, course: str, belief: Gaussian) -> "Ability":
        return cls(course, belief.mean, sqrt(belief.variance))


@dataclass(frozen=True, slots=True)
class LearnerState:
    """All that is kept of a learner: the number of attempts, and the state of each skill and of each course.

    The first `reordered` attempts were recomputed in the order in which they occurred, the others stand in the order in which they were
    counted. `revision` counts how often the state was repaired.
    """

    learner: str
    attempt_count: int
    skills: Mapping[str, SkillState]
    courses: Mapping[str, CourseState]
    reordered: int = 0
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Mastery:
    """All that is known of a learner as of a moment: a row a skill, ordered by skill, and an ability a course, ordered by course."""

    learner: str
    as_of: datetime
    skills: Sequence[Standing]
    abilities: Sequence[Ability]
    attempt_count: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """An attempt that moved a skill, and how."""

    attempt: Attempt
    move: Move


class ProgressUpdated(NamedTuple):
    """An attempt was counted and left the learner like this; `difficulty` is the item's after it, in logits."""

    attempt: Attempt
    skills: tuple[SkillMastery, ...]
    ability: Ability
    difficulty: float


class MasteryRecomputed(NamedTuple):
    """A learner's state was repaired and is now this; `newest` is the attempt it reaches to, `difficulty` that of its item, in logits."""

    newest: Attempt
    revision: int
    skills: tuple[SkillMastery, ...]
    abilities: tuple[Ability, ...]
    difficulty: float


class Verdict(Enum):
    """What became of an answer."""

    COUNTED = "counted now"
    REPEATED = "counted before with the same content"
    CONFLICT = "the id was counted before with another content"
    REFUSED = "can never be counted"


class Outcome(NamedTuple):
    """`update` is there exactly if it was counted now; `reason` says why it was not."""

    verdict: Verdict
    update: ProgressUpdated | None = None
    reason: str = ""
