"""What the scheduler knows and decides: publications, updates of a learner, decisions and their records."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, TypeAlias

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

    @property
    def version(self) -> tuple[int, int]:
        """Its place among all that is told of the learner."""
        return self.sequence, 0


@dataclass(frozen=True, slots=True)
class CourseAbility:
    """Ability in a course, outside any if it has no id, and its standard error, in logits."""

    course: str
    mean: float
    error: float


@dataclass(frozen=True, slots=True)
class Repair:
    """A learner's mastery and abilities as computed anew: they replace all that the updates up to `sequence` told of them.

    `revision` counts the learner's repairs from 1.
    """

    learner: str
    sequence: int
    revision: int
    skills: tuple[SkillMastery, ...]
    abilities: tuple[CourseAbility, ...]

    @property
    def version(self) -> tuple[int, int]:
        """Its place among all that is told of the learner: right after the update of the same sequence."""
        return self.sequence, self.revision


LearnerUpdate: TypeAlias = ProgressUpdate | Repair


class ReasonKind(StrEnum):
    """The terms of a score, in the order in which they are kept."""

    REVIEW = "review"
    GROWTH = "growth"
    CHALLENGE = "challenge"
    NOVELTY = "novelty"
    INFORMATION = "information"
    GOAL = "goal"


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
    """One shown item; `propensity` is the probability that the policy shows it at this place, given those before it, and `arm_propensity`
    that of the drawn arm. `relaxed` is the constraint that gave way for it, if one had to."""

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
    arm_propensity: float = 1.0
    relaxed: str = ""


class SkillSnapshot(NamedTuple):
    """What a decision knew of a skill."""

    skill: str
    title: str
    mean: float
    lower: float
    upper: float
    attempts: int


class Mode(StrEnum):
    """What items are for."""

    PRACTICE = "practice"
    REVIEW = "review"
    EXAM = "exam"
    PLACEMENT = "placement"


@dataclass(frozen=True, slots=True)
class Goal:
    """Each of the skills, all of the course if none is named, is to be mastered to `target` by the deadline, with some minutes a day."""

    deadline: datetime
    minutes_a_day: float
    target: float = 0.9
    skills: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DecisionRequest:
    """What is asked for; `id` becomes the decision's."""

    id: str
    learner: str
    course: str
    size: int
    mode: Mode = Mode.PRACTICE
    goal: Goal | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The record of a decision: all that is needed to explain it, to judge the policy by it, and to make it again from what is stored.

    `weights` are those of the drawn arm in the order of ReasonKind, `arms` the probability of each arm by name. `context` is what a bandit
    knows. `difficulty_epoch` and `state_lineage` name the exact inputs. `runner_up_skills` are those of the best candidate not shown.
    `shadow_of` is the decision that was served instead, if this one was silent.
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
    candidates: tuple[Candidate, ...] = ()
    constraints: tuple[tuple[str, int], ...] = ()
    choices: tuple[Choice, ...] = ()
    skills: tuple[SkillSnapshot, ...] = ()
    weights: tuple[float, ...] = ()
    fallbacks: tuple[str, ...] = ()
    empty_reason: str = ""
    mode: Mode = Mode.PRACTICE
    goal: Goal | None = None
    arms: tuple[tuple[str, float], ...] = ()
    arm: str = ""
    context: tuple[float, ...] = ()
    difficulty_epoch: int = 0
    state_lineage: int = 0
    engine_version: str = ""
    runner_up_skills: tuple[str, ...] = ()
    shadow_of: str = ""

    @property
    def runner_up(self) -> Candidate | None:
        """The best recorded candidate that was not shown."""
        shown = {each.item for each in self.choices}
        return next((each for each in self.candidates if each.item not in shown), None)

    def request(self) -> DecisionRequest:
        """Returns what was asked for."""
        return DecisionRequest(self.id, self.learner, self.course, self.size, self.mode, self.goal)

    def terms(self, candidate: Candidate) -> tuple[Term, ...]:
        """Returns the terms of one of its candidates."""
        return tuple(map(Term, KINDS, candidate.values, self.weights))

    def answers(self, request: DecisionRequest) -> bool:
        """Whether it was made for just this request."""
        return self.request() == request
