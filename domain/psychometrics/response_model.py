"""The online response model: P(correct) before an answer, and what the answer says of learner and item.

A two-parameter logistic model (Birnbaum 1968) in slope-intercept form,

    P(correct) = logistic(a x + d),    x = ability + sum of the learner's deviations in the item's skills,

whose unknowns are all Gaussian and learnt online by assumed-density filtering: the learner's ability in a course, a small
deviation of the learner's in each skill, and each item's slope `a` and intercept `d` (its difficulty is -d / a). The uncertainty of
all of them flattens the prediction by Glicko's factor 1 / sqrt(1 + 3 v / pi^2), v the variance of the logit (Glickman 1999,
"Parameter estimation in large dynamic paired comparison experiments"); the update is the one-step Newton move on the log-likelihood of
that prediction (as in Weng and Lin 2011, "A Bayesian approximation method for online ranking").

An item is kept as natural parameters (precisions and precision-weighted means), in which evidence adds up: concurrent writers each add
their share, in any order, none overwrites another. The information of an item's n-th answer counts 1 / sqrt(1 + n / 10): abilities
are themselves estimates and change, so an item goes on learning, as in stochastic approximation with Polyak's slower steps, rather than
freezing (Robbins and Monro 1951; Polyak and Juditsky 1992).

Every number costs O(skills of the item) to update, whatever the history.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, pi, sqrt
from typing import Final

VERSION: Final = "logistic-1"

# Priors in logits. A new learner's ability is 0 by definition; slopes are about 1 on that scale.
_ABILITY_VARIANCE: Final = 2.0
_DEVIATION_VARIANCE: Final = 0.3
_SLOPE_MEAN: Final = 1.0
_SLOPE_PRECISION: Final = 1 / 0.25
_INTERCEPT_PRECISION: Final = 1 / 2.25
_DRIFT: Final = 0.01  # people learn: the variance that an ability gains from one answer to the next
_LEAST_SLOPE: Final = 0.1  # an item that seems to be answered better by weaker learners is noise, not evidence against them
_GREATEST_DIFFICULTY: Final = 10.0
_LEAST_PROBABILITY: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Gaussian:
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


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one answer taught: P(correct) predicted before it, the learner's beliefs after it, and evidence to add to the item."""

    predicted: float
    ability: Gaussian
    deviations: tuple[Gaussian, ...]
    evidence: ItemEvidence


@dataclass(frozen=True, slots=True)
class _Item:
    """The joint Gaussian belief about slope and intercept."""

    raw_slope: float
    intercept: float
    slope_variance: float
    covariance: float
    intercept_variance: float

    @classmethod
    def of(cls, evidence: ItemEvidence) -> "_Item":
        slope = _SLOPE_PRECISION + evidence.slope_precision
        intercept = _INTERCEPT_PRECISION + evidence.intercept_precision
        cross = evidence.cross_precision
        determinant = slope * intercept - cross * cross
        slope_shift = _SLOPE_MEAN * _SLOPE_PRECISION + evidence.slope_shift
        return cls(
            (intercept * slope_shift - cross * evidence.intercept_shift) / determinant,
            (slope * evidence.intercept_shift - cross * slope_shift) / determinant,
            intercept / determinant,
            -cross / determinant,
            slope / determinant,
        )

    @property
    def slope(self) -> float:
        return max(self.raw_slope, _LEAST_SLOPE)

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
    level = ability.mean + sum(each.mean for each in deviations)
    variance = ability.variance + _DRIFT + sum(each.variance for each in deviations)
    logit = _Item.of(evidence).logit(level, variance)
    return _probability(_flattening(logit.variance) * logit.mean)


def learn(ability: Gaussian, deviations: Sequence[Gaussian], evidence: ItemEvidence, correct: bool) -> Lesson:
    """Returns what an answer teaches; `deviations` are the learner's in the item's skills."""
    ability = Gaussian(ability.mean, ability.variance + _DRIFT)
    level = ability.mean + sum(each.mean for each in deviations)
    variance = ability.variance + sum(each.variance for each in deviations)
    item = _Item.of(evidence)
    logit = item.logit(level, variance)
    flattening = _flattening(logit.variance)
    predicted = _probability(flattening * logit.mean)
    gradient = flattening * (correct - predicted)
    curvature = flattening * flattening * predicted * (1 - predicted)
    return Lesson(
        predicted,
        _moved(ability, item.slope, gradient, curvature),
        tuple(_moved(each, item.slope, gradient, curvature) for each in deviations),
        _evidence(item, level, gradient, curvature, evidence.count),
    )


def _moved(belief: Gaussian, slope: float, gradient: float, curvature: float) -> Gaussian:
    step = belief.variance * slope
    return Gaussian(belief.mean + step * gradient, belief.variance - step * step * curvature)


def _evidence(item: _Item, level: float, gradient: float, curvature: float, count: int) -> ItemEvidence:
    information = curvature / sqrt(1 + count / 10)
    pull = information * (item.raw_slope * level + item.intercept) + gradient
    return ItemEvidence(1, information * level * level, information * level, information, pull * level, pull)
