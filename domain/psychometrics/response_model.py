"""The online response model: P(correct) before an answer, and what the answer says of learner and item.

A two-parameter logistic model (Birnbaum 1968) in slope-intercept form,

    P(correct) = logistic(a x + d),    x = ability + sum of the learner's deviations in the item's skills,

whose unknowns are all Gaussian and learnt online by assumed-density filtering: the learner's ability in a course, a small
deviation of the learner's in each skill, and each item's slope `a` and intercept `d` (its difficulty is -d / a). The uncertainty of
all of them flattens the prediction by Glicko's factor 1 / sqrt(1 + 3 v / pi^2), v the variance of the logit (Glickman 1999,
"Parameter estimation in large dynamic paired comparison experiments"); the update is the one-step Newton move on the log-likelihood of
that prediction (as in Weng and Lin 2011, "A Bayesian approximation method for online ranking").

An item is kept as natural parameters (precisions and precision-weighted means), in which evidence adds up: concurrent writers each add
their share, in any order, none overwrites another. The information of an item's n-th answer counts 1 / sqrt(1 + n / 20): abilities
are themselves estimates and change, so an item goes on learning, as in stochastic approximation with Polyak's slower steps, rather than
freezing (Robbins and Monro 1951; Polyak and Juditsky 1992).

Every number costs O(skills of the item) to update, whatever the history. The constants are those that docs/mastery.md says how they were
chosen. Beliefs are named tuples, because each answer makes several and a tuple is made in a fifth of a dataclass's time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, pi, sqrt
from typing import Final, NamedTuple

VERSION: Final = "logistic-2"

# Priors in logits. A new learner's ability is 0 by definition; slopes are about 1 on that scale.
_ABILITY_VARIANCE: Final = 1.5
_DEVIATION_VARIANCE: Final = 0.3
_SLOPE_MEAN: Final = 1.0
_SLOPE_PRECISION: Final = 1 / 0.2
_INTERCEPT_PRECISION: Final = 1 / 1.5
_DRIFT: Final = 0.005  # people learn: the variance that an ability gains from one answer to the next
_SETTLING: Final = 20  # answers after which an item's information begins to count less
_LEAST_SLOPE: Final = 0.1  # an item that seems to be answered better by weaker learners is noise, not evidence against them
_GREATEST_DIFFICULTY: Final = 10.0
_LEAST_PROBABILITY: Final = 1e-6


class Gaussian(NamedTuple):
    """A belief about one number, in logits."""

    mean: float
    variance: float


NEW_ABILITY: Final = Gaussian(0.0, _ABILITY_VARIANCE)
NEW_DEVIATION: Final = Gaussian(0.0, _DEVIATION_VARIANCE)


@dataclass(frozen=True, slots=True)
class ItemEvidence:
    """What answers have said of an item: sums of natural parameters, beyond the prior. Add two to have what both say."""

    count: int = 0
    slope_precision: float = 0.0
    cross_precision: float = 0.0
    intercept_precision: float = 0.0
    slope_shift: float = 0.0
    intercept_shift: float = 0.0

    def __add__(self, other: "ItemEvidence") -> "ItemEvidence":
        return ItemEvidence(
            self.count + other.count,
            self.slope_precision + other.slope_precision,
            self.cross_precision + other.cross_precision,
            self.intercept_precision + other.intercept_precision,
            self.slope_shift + other.slope_shift,
            self.intercept_shift + other.intercept_shift,
        )

    @property
    def difficulty(self) -> float:
        """The ability at which the answer is right half of the time; logits, within ±10."""
        item = _Item.of(self)
        return min(max(-item.intercept / item.slope, -_GREATEST_DIFFICULTY), _GREATEST_DIFFICULTY)


class Lesson(NamedTuple):
    """What one answer taught: P(correct) predicted before it, the learner's beliefs after it, and evidence to add to the item."""

    predicted: float
    ability: Gaussian
    deviations: tuple[Gaussian, ...]
    evidence: ItemEvidence


class _Item(NamedTuple):
    """The joint Gaussian belief about slope and intercept."""

    mean_slope: float
    slope: float  # the mean, but at least 0.1
    intercept: float
    slope_variance: float
    covariance: float
    intercept_variance: float

    @classmethod
    def of(cls, evidence: ItemEvidence) -> "_Item":
        slope = _SLOPE_PRECISION + evidence.slope_precision
        intercept = _INTERCEPT_PRECISION + evidence.intercept_precision
        cross = evidence.cross_precision
        slope_shift = _SLOPE_MEAN * _SLOPE_PRECISION + evidence.slope_shift
        intercept_shift = evidence.intercept_shift
        determinant = slope * intercept - cross * cross
        mean = (intercept * slope_shift - cross * intercept_shift) / determinant
        return cls(
            mean,
            max(mean, _LEAST_SLOPE),
            (slope * intercept_shift - cross * slope_shift) / determinant,
            intercept / determinant,
            -cross / determinant,
            slope / determinant,
        )

    def logit(self, level: float, variance: float) -> Gaussian:
        """Returns the belief about the logit of an answer by a learner whose level is `level` with `variance`."""
        own = self.slope_variance * (level * level + variance) + 2 * self.covariance * level + self.intercept_variance
        return Gaussian(self.slope * level + self.intercept, own + self.slope * self.slope * variance)


def _flattening(variance: float) -> float:
    return 1 / sqrt(1 + 3 * variance / (pi * pi))


def _probability(logit: float) -> float:
    """The logistic function, kept inside (0, 1) so that its logarithms are finite."""
    value = 1 / (1 + exp(-logit)) if logit > -700 else 0.0
    return min(max(value, _LEAST_PROBABILITY), 1 - _LEAST_PROBABILITY)


def predict(ability: Gaussian, deviations: Sequence[Gaussian], evidence: ItemEvidence) -> float:
    """Returns P(correct), in (0, 1), of an answer not yet given."""
    level = _level(ability, deviations)
    logit = _Item.of(evidence).logit(level.mean, level.variance)
    return _probability(_flattening(logit.variance) * logit.mean)


def learn(ability: Gaussian, deviations: Sequence[Gaussian], evidence: ItemEvidence, correct: bool) -> Lesson:
    """Returns what an answer teaches; `deviations` are the learner's in the item's skills."""
    level = _level(ability, deviations)
    item = _Item.of(evidence)
    logit = item.logit(level.mean, level.variance)
    flattening = _flattening(logit.variance)
    predicted = _probability(flattening * logit.mean)
    gradient = flattening * (correct - predicted)
    curvature = flattening * flattening * predicted * (1 - predicted)
    pull, pin = item.slope * gradient, item.slope * item.slope * curvature
    return Lesson(
        predicted,
        _moved(ability.mean, ability.variance + _DRIFT, pull, pin),
        tuple([_moved(mean, variance, pull, pin) for mean, variance in deviations]),
        _evidence(item, level.mean, gradient, curvature, evidence.count),
    )


def _level(ability: Gaussian, deviations: Sequence[Gaussian]) -> Gaussian:
    mean, variance = ability.mean, ability.variance + _DRIFT
    for each in deviations:
        mean += each.mean
        variance += each.variance
    return Gaussian(mean, variance)


def _moved(mean: float, variance: float, pull: float, pin: float) -> Gaussian:
    return Gaussian(mean + variance * pull, variance - variance * variance * pin)


def _evidence(item: _Item, level: float, gradient: float, curvature: float, count: int) -> ItemEvidence:
    information = curvature / sqrt(1 + count / _SETTLING)
    shift = information * (item.mean_slope * level + item.intercept) + gradient
    return ItemEvidence(1, information * level * level, information * level, information, shift * level, shift)
