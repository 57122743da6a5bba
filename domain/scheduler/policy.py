"""Policies: versioned and immutable. A change of any number is a new version, so that a record can always be judged by its policy.

A policy has strategy arms, each a way to weigh the terms of a score. With several, one is drawn for each decision: by fixed shares, or by
a bandit whose posterior is part of the version. Nothing is learnt between versions, so a decision is a function of stored values.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from math import isfinite, log
from typing import Any, TypeVar

import numpy as np

from domain.psychometrics.bandits import LinearPosterior
from domain.scheduler.model import KINDS
from domain.shared.errors import InvalidInput
from domain.shared.ids import chosen_id

CONTEXT = ("constant", "ability", "mastery", "due", "experience", "goal")
"""What a bandit knows of a decision, each in [0, 1] but for the ability: 1; the learner's ability in the course in logits, limited to
[-3, 3], divided by 3; the mean mastery of the course's skills; the share of the answered items whose review is due; n / (n + 50) for n
answers of the learner; 1 if there is a goal, else 0."""
MOST_ARMS = 16
MOST_RECORDED = 200
LEAST_TEMPERATURE = 0.005
"""Below it, the weight of the worst candidate would vanish in double precision; 0 itself is allowed and means the best one always."""
MODELS = ("ability-mastery-1",)
"""The response models whose predictions this code computes; docs/policy.md says how."""
_T = TypeVar("_T")


def logit(probability: float) -> float:
    return log(probability / (1.0 - probability))


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _within(name: str, value: float, low: float, high: float, also: str = "") -> None:
    if not _finite(value) or not low <= value <= high:
        raise InvalidInput.of(name, f"must be {also}a number from {low:g} to {high:g}")


def _whole(name: str, value: int, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidInput.of(name, f"must be a whole number from {low} to {high}")


def _id(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise InvalidInput.of(name, "must be a text")
    chosen_id(value, name)


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each term counts; they sum to 1, so that scores are in [0, 1]."""

    review: float = 0.0
    growth: float = 0.0
    challenge: float = 0.0
    novelty: float = 0.0
    information: float = 0.0
    goal: float = 0.0

    def __post_init__(self) -> None:
        for kind in KINDS:
            _within(kind, getattr(self, kind), 0.0, 1.0)
        if abs(sum(self.in_order()) - 1.0) > 1e-9:
            raise InvalidInput.of("weights", f"must sum to 1, not {sum(self.in_order()):g}")

    def in_order(self) -> tuple[float, ...]:
        """Returns the weights in the order of ReasonKind."""
        return (self.review, self.growth, self.challenge, self.novelty, self.information, self.goal)


@dataclass(frozen=True, slots=True)
class Arm:
    """A strategy: how terms are weighed and how greedily items are drawn.

    `temperature` divides scores before the softmax: the smaller, the greedier; 0 always takes the best, ties at random. `share` is the
    probability of the arm where no bandit chooses.
    """

    name: str
    weights: Weights
    temperature: float = 0.05
    share: float = 1.0

    def __post_init__(self) -> None:
        _id("name", self.name)
        if self.temperature != 0.0:
            _within("temperature", self.temperature, LEAST_TEMPERATURE, 1e6, "0, or ")
        _within("share", self.share, 0.0, 1.0)


class BanditKind(StrEnum):
    THOMPSON = "thompson"
    LINUCB = "linucb"


@dataclass(frozen=True, slots=True)
class Posterior:
    """A Gaussian belief about an arm's reward: coefficients of CONTEXT with their mean and covariance, and the variance of a reward."""

    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    noise: float

    def __post_init__(self) -> None:
        if len(self.mean) != len(CONTEXT) or not all(map(_finite, self.mean)):
            raise InvalidInput.of("mean", f"must be {len(CONTEXT)} finite numbers, one for each of {', '.join(CONTEXT)}")
        if [len(row) for row in self.covariance] != [len(CONTEXT)] * len(CONTEXT) or not all(
            _finite(each) for row in self.covariance for each in row
        ):
            raise InvalidInput.of("covariance", f"must be {len(CONTEXT)} rows of {len(CONTEXT)} finite numbers")
        covariance = np.array(self.covariance)
        if not np.allclose(covariance, covariance.T, rtol=1e-9, atol=1e-12) or np.linalg.eigvalsh(covariance)[0] <= 0.0:
            raise InvalidInput.of("covariance", "must be symmetric and positive definite")
        _within("noise", self.noise, 1e-12, 1e12)

    def linear(self) -> LinearPosterior:
        return LinearPosterior(np.array(self.mean), np.array(self.covariance), self.noise)


@dataclass(frozen=True, slots=True)
class Bandit:
    """Chooses the arm. `posteriors` are those of the policy's arms, in order; it was trained from records, before this version was made.

    Thompson sampling draws an arm with the probability that it is the best one. LinUCB takes the one with the greatest mean plus `width`
    standard deviations, but any arm with the probability `exploration`, so that every arm keeps one.
    """

    kind: BanditKind
    posteriors: tuple[Posterior, ...]
    width: float = 1.0
    exploration: float = 0.05

    def __post_init__(self) -> None:
        _within("width", self.width, 0.0, 100.0)
        _within("exploration", self.exploration, 0.001, 1.0)


@dataclass(frozen=True, slots=True)
class SkillShare:
    """How much of the recent practice a skill is to have, as shares in [0, 1]."""

    skill: str
    least: float = 0.0
    most: float = 1.0

    def __post_init__(self) -> None:
        _id("skill", self.skill)
        _within("least", self.least, 0.0, 1.0)
        _within("most", self.most, 0.0, 1.0)
        if self.least > self.most:
            raise InvalidInput.of("least", f"must be at most {self.most:g}, the greatest share")


@dataclass(frozen=True, slots=True)
class Balance:
    """Content balance over the last `window` answered items (at most 32) of the course; `most` is the greatest share of any skill that
    `shares` does not name. Until `window` items were answered, nothing is balanced."""

    window: int = 10
    most: float = 1.0
    shares: tuple[SkillShare, ...] = ()

    def __post_init__(self) -> None:
        _whole("window", self.window, 1, 32)
        _within("most", self.most, 0.0, 1.0)
        if len({each.skill for each in self.shares}) < len(self.shares):
            raise InvalidInput.of("shares", "must not name a skill twice")
        if sum(each.least for each in self.shares) > 1.0 + 1e-9:
            raise InvalidInput.of("shares", "must not ask for least shares that sum to more than 1")

    @property
    def active(self) -> bool:
        return self.most < 1.0 or bool(self.shares)


GREEDY_REVIEW = Arm("review", Weights(review=1.0), temperature=0.0)
EVEN_EXAM = Arm("exam", Weights(novelty=1.0), temperature=0.05)
INFORMATIVE_PLACEMENT = Arm("placement", Weights(information=1.0), temperature=0.02)


@dataclass(frozen=True, slots=True)
class Policy:
    """How items are held back, scored and drawn. Raises InvalidInput naming the first field that cannot be.

    - `arms` are the strategies of practice, `bandit` chooses among them if there is one. Review, exam and placement have an arm each.
    - A skill is met as a prerequisite from `met_mean` on, and no longer grows from `mastered_mean` on.
    - The last `recency` answered items are held back for `recency_hours`, but never more than a third of the open ones.
    - An item that has `exposure_share` of all answers of the learner is held back, once it has `exposure_floor` of them.
    - `balance` evens out the skills of recent practice.
    - `prior_mean` stands in for the mastery of a skill without attempts.
    - P(correct) between `target_low` and `target_high` is the target band; `challenge_width` (logits) outside it halve the term.
    - `skill_gain` logits separate sure mastery from sure ignorance, halved; `skill_evidence` attempts give a skill half its weight.
    - A new item's novelty comes back by half within `novelty_days`.
    - `recorded` candidates, the best, are kept in the record beside the shown ones.
    """

    version: str
    model_version: str
    arms: tuple[Arm, ...]
    bandit: Bandit | None = None
    review: Arm = GREEDY_REVIEW
    exam: Arm = EVEN_EXAM
    placement: Arm = INFORMATIVE_PLACEMENT
    met_mean: float = 0.8
    mastered_mean: float = 0.95
    prior_mean: float = 0.3
    recency: int = 20
    recency_hours: float = 12.0
    exposure_share: float = 0.25
    exposure_floor: int = 8
    balance: Balance = field(default_factory=Balance)
    target_low: float = 0.45
    target_high: float = 0.65
    challenge_width: float = 1.0
    skill_gain: float = 1.5
    skill_evidence: float = 4.0
    novelty_days: float = 7.0
    recorded: int = 12

    def __post_init__(self) -> None:
        _id("version", self.version)
        if not isinstance(self.model_version, str) or self.model_version not in MODELS:
            raise InvalidInput.of("model_version", f"must be one of {', '.join(MODELS)}")
        if not 1 <= len(self.arms) <= MOST_ARMS:
            raise InvalidInput.of("arms", f"must be 1 to {MOST_ARMS}")
        if len({each.name for each in self.arms}) < len(self.arms):
            raise InvalidInput.of("arms", "must have names of their own")
        if self.bandit is None and abs(sum(each.share for each in self.arms) - 1.0) > 1e-9:
            raise InvalidInput.of("arms", "must have shares that sum to 1")
        if self.bandit is not None and len(self.bandit.posteriors) != len(self.arms):
            raise InvalidInput.of("bandit.posteriors", f"must be {len(self.arms)}, one for each arm")
        for name in ("met_mean", "mastered_mean", "prior_mean", "exposure_share"):
            _within(name, getattr(self, name), 0.0, 1.0)
        for name in ("target_low", "target_high"):
            _within(name, getattr(self, name), 0.001, 0.999)
        if self.target_low > self.target_high:
            raise InvalidInput.of("target_low", f"must be at most {self.target_high:g}, the band's upper end")
        _whole("recency", self.recency, 0, 32)
        _whole("exposure_floor", self.exposure_floor, 1, 65_535)
        _whole("recorded", self.recorded, 1, MOST_RECORDED)
        _within("recency_hours", self.recency_hours, 0.0, 24.0 * 365)
        _within("challenge_width", self.challenge_width, 0.01, 100.0)
        _within("skill_gain", self.skill_gain, 0.0, 100.0)
        _within("skill_evidence", self.skill_evidence, 0.001, 1e6)
        _within("novelty_days", self.novelty_days, 0.001, 36_500.0)

    def to_document(self) -> dict[str, Any]:
        """Returns the policy as plain JSON values, which `from_document` reads."""
        document: dict[str, Any] = asdict(self)
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Policy":
        """Returns the policy; raises InvalidInput naming the field that is missing, unknown or cannot be."""
        values = _known(cls, document)
        for name in ("review", "exam", "placement"):
            if name in values:
                values[name] = _in(name, values[name], _arm)
        if values.get("bandit") is not None:
            values["bandit"] = _in("bandit", values["bandit"], _bandit)
        if "balance" in values:
            values["balance"] = _in("balance", values["balance"], _balance)
        return _made(cls, values | {"arms": _each("arms", values.get("arms"), _arm)})


PRACTICE_2 = Policy(
    "practice-2",
    "ability-mastery-1",
    (Arm("practice", Weights(review=0.06, growth=0.14, challenge=0.42, novelty=0.18, goal=0.2), temperature=0.04),),
)
"""The policy where an organization has none of its own live; docs/policy.md says why its numbers are what they are."""


def _arm(document: object) -> Arm:
    values = _known(Arm, document)
    return _made(
        Arm, values | {"weights": _in("weights", values.get("weights"), lambda each: _made(Weights, _known(Weights, each)))}
    )


def _bandit(document: object) -> Bandit:
    values = _known(Bandit, document)
    if values.get("kind") not in tuple(BanditKind):
        raise InvalidInput.of("kind", f"must be one of {', '.join(BanditKind)}")
    kind = BanditKind(values["kind"])
    return _made(Bandit, values | {"kind": kind, "posteriors": _each("posteriors", values.get("posteriors"), _posterior)})


def _posterior(document: object) -> Posterior:
    values = _known(Posterior, document)
    covariance = tuple(_listed("covariance", row) for row in _listed("covariance", values.get("covariance")))
    return _made(Posterior, values | {"mean": _listed("mean", values.get("mean")), "covariance": covariance})


def _balance(document: object) -> Balance:
    values = _known(Balance, document)
    shares = _each("shares", values.get("shares", ()), lambda each: _made(SkillShare, _known(SkillShare, each)))
    return _made(Balance, values | {"shares": shares})


def _known(cls: type, document: object) -> dict[str, Any]:
    if not isinstance(document, Mapping):
        raise InvalidInput.of("", "must be an object")
    names = {each.name for each in fields(cls)}
    for name in document:
        if name not in names:
            raise InvalidInput.of(str(name), f"is unknown; known are {', '.join(sorted(names))}")
    return dict(document)


def _made(cls: Callable[..., _T], values: Mapping[str, Any]) -> _T:
    try:
        return cls(**values)
    except TypeError as error:  # a field without a default is missing, or a text is where a number belongs
        missing = [each.name for each in fields(cls) if each.name not in values]  # type: ignore[arg-type]  # all are dataclasses
        raise InvalidInput.of(missing[0] if missing else "", "is required" if missing else str(error)) from None


def _listed(name: str, value: object) -> tuple[Any, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise InvalidInput.of(name, "must be a list")
    return tuple(value)


def _each(name: str, value: object, make: Callable[[object], _T]) -> tuple[_T, ...]:
    return tuple(_in(f"{name}[{number}]", each, make) for number, each in enumerate(_listed(name, value)))


def _in(name: str, value: object, make: Callable[[object], _T]) -> _T:
    """Returns what `make` makes of a value; the fields its errors name are put below `name`."""
    try:
        return make(value)
    except InvalidInput as error:
        first = error.violations[0]
        raise InvalidInput.of(".".join(filter(None, (name, first.field))), first.description) from None
