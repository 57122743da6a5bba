"""The online response model: P(correct) before an answer, and what the answer says of learner and item.

A two-parameter logistic model (Birnbaum 1968) in slope-intercept form,

    P(correct) = logistic(a x + d),    x = ability + sum of the learner's deviations in the item's skills,

whose unknowns are all Gaussian and learnt online by assumed-density filtering: the learner's ability in a course, a small
deviation of the learner's in each skill, and each item's slope `a` and intercept `d` (its difficulty is -d / a). The uncertainty of
all of them flattens the prediction by Glicko's factor 1 / sqrt(1 + 3 v / pi^2), v the variance of the logit (Glickman 1999,
"Parameter estimation in large dynamic paired comparison experiments"); the update is the one-step Newton move on the log-likelihood of
that prediction (as in Weng and Lin 2011, "A Bayesian approximation method for online ranking").

An item is kept as natural parameters (precisions and precision-weighted means), in which evidence adds up: concurrent writers each add
their share, in any order, none overwrites another. The information of an item's n-th answer counts 1 / sqrt(1 + n / settling): abilities
are themselves estimates and change, so an item goes on learning, as in stochastic approximation with Polyak's slower steps, rather than
freezing (Robbins and Monro 1951; Polyak and Juditsky 1992).

Every number costs O(skills of the item) to update, whatever the history. docs/mastery.md says how the constants were chosen. Beliefs are
named tuples, because each answer makes several and a tuple is made in a fifth of a dataclass's time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, pi, sqrt
from typing import Final, NamedTuple

from domain.shared.errors import InvalidInput

_LEAST_SLOPE: Final = 0.1  # an item that seems to be answered better by weaker learners is noise, not evidence against them
_GREATEST_DIFFICULTY: Final = 10.0
_LEAST_PROBABILITY: Final = 1e-6
_GREATEST_CONSTANT: Final = 1e4


class Constants(NamedTuple):
    """Priors in logits, and how fast beliefs change. A new learner's ability is 0 by definition; slopes are about 1 on that scale."""

    ability_variance: float = 2.0
    deviation_variance: float = 0.3
    slope_mean: float = 1.0
    slope_variance: float = 0.33
    intercept_mean: float = 0.5
    """People are mostly given what they can do: a new learner answers a new item right somewhat more often than not."""
    intercept_variance: float = 1.5
    drift: float = 0.005
    """People learn: the variance that an ability gains from one answer to the next."""
    settling: float = 20.0
    """Answers after which an item's information begins to count less."""

    def check(self, field: str) -> None:
        """Raises InvalidInput naming the constant below `field` that cannot be used."""
        for name, value in self._asdict().items():
            least = {"drift": 0.0, "intercept_mean": -_GREATEST_DIFFICULTY}.get(name, 1e-6)
            if not least <= value <= _GREATEST_CONSTANT:
                raise InvalidInput.of(f"{field}.{name}", f"must be a number from {least:g} to {_GREATEST_CONSTANT:g}")


class Gaussian(NamedTuple):
    """A belief about one number, in logits."""

    mean: float
    variance: float


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

    def logit(self, level: float, variance: float) -> Gaussian:
        """Returns the belief about the logit of an answer by a learner whose level is `level` with `variance`."""
        own = self.slope_variance * (level * level + variance) + 2 * self.covariance * level + self.intercept_variance
        return Gaussian(self.slope * level + self.intercept, own + self.slope * self.slope * variance)


class ResponseModel:
    """The model with its constants."""

    def __init__(self, constants: Constants = Constants()) -> None:  # noqa: B008  # immutable
        """Raises InvalidInput naming a constant that cannot be used."""
        constants.check("response")
        self.new_ability: Final = Gaussian(0.0, constants.ability_variance)
        self.new_deviation: Final = Gaussian(0.0, constants.deviation_variance)
        self._slope_precision = 1 / constants.slope_variance
        self._slope_shift = constants.slope_mean * self._slope_precision
        self._intercept_precision = 1 / constants.intercept_variance
        self._intercept_shift = constants.intercept_mean * self._intercept_precision
        self._drift = constants.drift
        self._settling = constants.settling

    def predict(self, ability: Gaussian, deviations: Sequence[Gaussian], evidence: ItemEvidence) -> float:
        """Returns P(correct), in (0, 1), of an answer not yet given."""
        level = self._level(ability, deviations)
        logit = self._item(evidence).logit(level.mean, level.variance)
        return _probability(_flattening(logit.variance) * logit.mean)

    def learn(self, ability: Gaussian, deviations: Sequence[Gaussian], evidence: ItemEvidence, correct: bool) -> Lesson:
        """Returns what an answer teaches; `deviations` are the learner's in the item's skills."""
        level = self._level(ability, deviations)
        item = self._item(evidence)
        logit = item.logit(level.mean, level.variance)
        flattening = _flattening(logit.variance)
        predicted = _probability(flattening * logit.mean)
        gradient = flattening * (correct - predicted)
        curvature = flattening * flattening * predicted * (1 - predicted)
        pull, pin = item.slope * gradient, item.slope * item.slope * curvature
        information = curvature / sqrt(1 + evidence.count / self._settling)
        shift = information * (item.mean_slope * level.mean + item.intercept) + gradient
        return Lesson(
            predicted,
            _moved(ability.mean, ability.variance + self._drift, pull, pin),
            tuple([_moved(mean, variance, pull, pin) for mean, variance in deviations]),
            ItemEvidence(
                1, information * level.mean * level.mean, information * level.mean, information, shift * level.mean, shift
            ),
        )

    def difficulty(self, evidence: ItemEvidence) -> float:
        """Returns the ability at which the answer is right half of the time; logits, within ±10."""
        item = self._item(evidence)
        return min(max(-item.intercept / item.slope, -_GREATEST_DIFFICULTY), _GREATEST_DIFFICULTY)

    def _level(self, ability: Gaussian, deviations: Sequence[Gaussian]) -> Gaussian:
        mean, variance = ability.mean, ability.variance + self._drift
        for each in deviations:
            mean += each.mean
            variance += each.variance
        return Gaussian(mean, variance)

    def _item(self, evidence: ItemEvidence) -> _Item:
        slope = self._slope_precision + evidence.slope_precision
        intercept = self._intercept_precision + evidence.intercept_precision
        cross = evidence.cross_precision
        slope_shift = self._slope_shift + evidence.slope_shift
        intercept_shift = self._intercept_shift + evidence.intercept_shift
        determinant = slope * intercept - cross * cross
        mean = (intercept * slope_shift - cross * intercept_shift) / determinant
        return _Item(
            mean,
            max(mean, _LEAST_SLOPE),
            (slope * intercept_shift - cross * slope_shift) / determinant,
            intercept / determinant,
            -cross / determinant,
            slope / determinant,
        )


def _flattening(variance: float) -> float:
    return 1 / sqrt(1 + 3 * variance / (pi * pi))


def _probability(logit: float) -> float:
    """The logistic function, kept inside (0, 1) so that its logarithms are finite."""
    value = 1 / (1 + exp(-logit)) if logit > -700 else 0.0
    return min(max(value, _LEAST_PROBABILITY), 1 - _LEAST_PROBABILITY)


def _moved(mean: float, variance: float, pull: float, pin: float) -> Gaussian:
    return Gaussian(mean + variance * pull, variance - variance * variance * pin)
