"""What the scheduler knows and decides: publications, updates of a learner, decisions and their records."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from domain.shared.errors import AlreadyExists, Forbidden, NotFound


class CourseNotPublished(NotFound):
    reason = "COURSE_NOT_PUBLISHED"


class DecisionNotFound(NotFound):
    reason = "DECISION_NOT_FOUND"


class RequestIdReused(AlreadyExists):
    reason = "REQUEST_ID_REUSED"


class AudienceForbidden(Forbidden):
    reason = "AUDIENCE_FORBIDDEN"


@dataclass(frozen=True, slots=True)
class PublishedSkill:
    """`prerequisites` are skills of the same course."""

    id: str
    title: str
    prerequisites: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PublishedItem:
    id: str
    revision: int
    skills: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Publication:
    """What may be chosen from: one immutable publication of a course."""

    course: str
    number: int
    skills: tuple[PublishedSkill, ...]
    items: tuple[PublishedItem, ...]


@dataclass(frozen=True, slots=True)
class SkillMastery:
    """P(mastered) with its 90 % interval and the number of attempts behind it."""

    skill: str
    mean: float
    lower: float
    upper: float
    attempts: int


@dataclass(frozen=True, slots=True)
class ProgressUpdate:
    """One counted attempt and the learner's state after it.

    `sequence` counts the learner's attempts from 1. Times are Unix seconds; ability and difficulty are logits.
    """

    learner: str
    sequence: int
    course: str
    item: str
    score: float
    correct: bool
    skills: tuple[SkillMastery, ...]
    ability: float
    ability_error: float
    item_difficulty: float
    answered_at: float
    response_seconds: float | None = None


class ReasonKind(StrEnum):
    """The terms of a score, in the order in which they are kept."""

    REVIEW = "review"
    GROWTH = "growth"
    CHALLENGE = "challenge"
    NOVELTY = "novelty"


KINDS = tuple(ReasonKind)


@dataclass(frozen=True, slots=True)
class Term:
    """`value` is in [0, 1]; the score is the sum of value times weight."""

    kind: ReasonKind
    value: float
    weight: float

    @property
    def contribution(self) -> float:
        return self.value * self.weight


# Of what follows, many are made for each decision, and a tuple is made in a fifth of a dataclass's time.
class Candidate(NamedTuple):
    """One scored item; `values` are its terms' in the order of ReasonKind; `propensity` is the probability that the policy puts it first."""

    item: str
    score: float
    values: tuple[float, ...]
    predicted_correct: float
    propensity: float


class Choice(NamedTuple):
    """One shown item; `propensity` is the probability that the policy shows it at this place, given those before it."""

    item: str
    revision: int
    skills: tuple[str, ...]
    propensity: float
    predicted_correct: float
    reason: str
    reason_kind: ReasonKind
    attempts: int = 0
    correct: int = 0
    last_answered_at: datetime | None = None


class SkillSnapshot(NamedTuple):
    """What a decision knew of a skill."""

    skill: str
    title: str
    mean: float
    lower: float
    upper: float
    attempts: int


@dataclass(frozen=True, slots=True)
class DecisionRequest:
    """What is asked for; `id` becomes the decision's."""

    id: str
    learner: str
    course: str
    size: int


@dataclass(frozen=True, slots=True)
class Decision:
    """The record of a decision: all that is needed to explain it and to judge the policy by it.

    `weights` are the policy's in the order of ReasonKind.
    """

    id: str
    learner: str
    course: str
    publication: int
    decided_at: datetime
    policy_version: str
    model_version: str
    seed: int
    size: int
    learner_sequence: int
    candidates: tuple[Candidate, ...]
    constraints: tuple[tuple[str, int], ...]
    choices: tuple[Choice, ...]
    skills: tuple[SkillSnapshot, ...]
    weights: tuple[float, ...]
    fallbacks: tuple[str, ...] = ()
    empty_reason: str = ""

    def terms(self, candidate: Candidate) -> tuple[Term, ...]:
        """Returns the terms of one of its candidates."""
        return tuple(map(Term, KINDS, candidate.values, self.weights))

    def answers(self, request: DecisionRequest) -> bool:
        """Whether it was made for just this request."""
        return (self.id, self.learner, self.course, self.size) == (request.id, request.learner, request.course, request.size)
