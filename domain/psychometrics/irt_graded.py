"""The graded response model, for answers with ordered scores 0, 1, 2...

Samejima (1969), "Estimation of latent ability using a response pattern of graded scores": P(score >= k | ability t) =
logistic(slope (t - threshold k)). With one threshold it is the two-parameter logistic model. The metric is the logistic one; abilities are
standard normal in the population.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.psychometrics.irt import GREATEST_DIFFICULTY, GREATEST_SLOPE, AbilityEstimate, Floats, logistic
from domain.shared.errors import InvalidInput

_NODES: Final = np.linspace(-6.0, 6.0, 61)
_FINE_NODES: Final = np.linspace(-6.0, 6.0, 601)
_LOG_WEIGHTS: Final = -0.5 * _NODES**2 - np.log(np.exp(-0.5 * _NODES**2).sum())
_LEAST: Final = 1e-300
_STEPS: Final = 1000
_HALVINGS: Final = 8
_SMALL_GAIN: Final = 1e-11  # of log-likelihood a response, at which the fit has converged
_MOST_SCORES: Final = 20


class GradedItems(NamedTuple):
    """Slopes (n,) in 1 / logit and thresholds (n, scores - 1) in logits, rising; infinite where an item has fewer scores."""

    slope: Floats
    threshold: Floats

    @classmethod
    def of(cls, slope: ArrayLike, threshold: Sequence[ArrayLike]) -> "GradedItems":
        """Returns the items from a list of thresholds for each. Raises InvalidInput naming what no item can have."""
        slopes = np.atleast_1d(np.asarray(slope, dtype=np.float64))
        rows = [np.atleast_1d(np.asarray(each, dtype=np.float64)) for each in threshold]
        if slopes.ndim != 1 or slopes.size != len(rows) or not rows:
            raise InvalidInput.of("items", "must be at least one, with a slope and thresholds each")
        for place, (each, row) in enumerate(zip(slopes.tolist(), rows, strict=True)):
            if not 0 < each <= GREATEST_SLOPE:
                raise InvalidInput.of(f"items[{place}].slope", f"must be above 0 and at most {GREATEST_SLOPE:g}")
            if not row.size or not (np.abs(row) <= GREATEST_DIFFICULTY).all() or not (np.diff(row) > 0).all():
                raise InvalidInput.of(
                    f"items[{place}].threshold",
                    f"must be at least one number, rising, from -{GREATEST_DIFFICULTY:g} to {GREATEST_DIFFICULTY:g}",
                )
        table = np.full((len(rows), max(row.size for row in rows)), np.inf)
        for place, row in enumerate(rows):
            table[place, : row.size] = row
        return cls(slopes, table)


def score_probabilities(items: GradedItems, ability: float) -> Floats:
    """Returns P(score) of each item, shape (n, scores): its rows add up to 1."""
    return np.asarray(-np.diff(_at_least(items, np.array([ability]))[0], axis=-1))


def graded_information(items: GradedItems, ability: float) -> Floats:
    """Returns each item's Fisher information about the ability, shape (n,), in 1 / logit²: the sum over scores of P'² / P."""
    reached = _at_least(items, np.array([ability]))[0]
    change = -np.diff(reached * (1 - reached), axis=-1)
    chance = np.maximum(-np.diff(reached, axis=-1), _LEAST)
    return np.asarray(items.slope**2 * (change**2 / chance).sum(axis=-1))


def graded_eap(items: GradedItems, scores: Sequence[int]) -> AbilityEstimate:
    """Returns the expected a posteriori ability under a standard normal prior, and its standard error.

    `items` are those answered, `scores` the answers in the same order. Raises InvalidInput for a score that the item does not have.
    """
    if len(scores) != items.slope.size:
        raise InvalidInput.of("scores", f"must be one for each of the {items.slope.size} items")
    most = np.isfinite(items.threshold).sum(axis=1)
    if any(isinstance(each, bool) or not 0 <= each <= limit for each, limit in zip(scores, most.tolist(), strict=True)):
        raise InvalidInput.of("scores", "must be whole numbers from 0 to the item's number of thresholds")
    chance = -np.diff(_at_least(items, _FINE_NODES), axis=-1)
    told = np.log(np.maximum(chance[:, np.arange(len(scores)), list(scores)], _LEAST)).sum(axis=1) - 0.5 * _FINE_NODES**2
    weight = np.exp(told - told.max())
    weight /= weight.sum()
    mean = float(weight @ _FINE_NODES)
    return AbilityEstimate(mean, float(np.sqrt(weight @ (_FINE_NODES - mean) ** 2)))


def _at_least(items: GradedItems, abilities: Floats) -> Floats:
    """P(score >= k) for k = 0 to the number of scores, (abilities, n, scores + 1): from 1 down to 0."""
    with np.errstate(invalid="ignore"):
        inner = logistic(items.slope[:, None] * (abilities[:, None, None] - items.threshold))
    ends = np.ones((*inner.shape[:-1], 1))
    return np.concatenate([ends, inner, 0 * ends], axis=-1)


class GradedCalibration(NamedTuple):
    """The fitted items, standard errors of slopes (n,) and thresholds (n, scores - 1), the marginal log-likelihood, and how it ended."""

    items: GradedItems
    slope_error: Floats
    threshold_error: Floats
    log_likelihood: float
    converged: bool
    steps: int


def fit_graded(
    scores: NDArray[np.int8], on_step: Callable[[int, float], None] = lambda step, log_likelihood: None
) -> GradedCalibration:
    """Returns the calibration from scores of shape (learners, items): 0, 1, 2...; -1 where missing.

    Marginal maximum likelihood by EM (Bock and Aitkin 1981; Muraki 1990 for graded scores); standard errors from the sum of the learners'
    squared gradients. Raises InvalidInput unless there are two items and every score from 0 to an item's highest was given to it.
    """
    if scores.ndim != 2 or scores.shape[1] < 2 or scores.shape[0] < 2:
        raise InvalidInput.of("scores", "must be a table of at least 2 learners and 2 items")
    most = scores.max(axis=0)
    for place, highest in enumerate(most.tolist()):
        if not 1 <= highest < _MOST_SCORES or not np.isin(np.arange(highest + 1), scores[:, place]).all():
            raise InvalidInput.of(
                f"scores[{place}]", f"each score from 0 to the highest, at most {_MOST_SCORES - 1}, must have been given"
            )
    scores = scores[(scores >= 0).any(axis=1)]
    given = [scores[:, place, None] == np.arange(highest + 1) for place, highest in enumerate(most.tolist())]
    points = [_start(each) for each in given]
    weight, log_likelihood = _expected(points, given)
    for step in range(1, _STEPS + 1):
        points = [_improved(point, weight.T @ each) for point, each in zip(points, given, strict=True)]
        before, (weight, log_likelihood) = log_likelihood, _expected(points, given)
        on_step(step, log_likelihood)
        if log_likelihood - before <= _SMALL_GAIN * scores.size:
            break
    return _graded_calibration(points, given, weight, log_likelihood, step)


def _start(given: NDArray[np.bool_]) -> Floats:
    """A point is the slope, then the falling intercepts of score >= 1, 2...: logit = slope t + intercept."""
    counts = given.sum(axis=0) + 0.5
    above = np.cumsum(counts[::-1])[::-1][1:] / counts.sum()
    return np.array([1.0, *(1.2 * np.log(above / (1 - above)))])


def _chances(point: Floats) -> tuple[Floats, Floats]:
    """P(score), (nodes, scores), and its derivatives by each parameter, (parameters, nodes, scores)."""
    inner = logistic(point[0] * _NODES[:, None] + point[1:])
    ends = np.ones((_NODES.size, 1))
    reached = np.concatenate([ends, inner, 0 * ends], axis=1)
    density = reached * (1 - reached)
    by = np.zeros((point.size, *reached.shape))
    by[0] = _NODES[:, None] * density
    for k in range(1, point.size):
        by[k, :, k] = density[:, k]
    return np.maximum(-np.diff(reached, axis=1), _LEAST), -np.diff(by, axis=2)


def _expected(points: Sequence[Floats], given: Sequence[NDArray[np.bool_]]) -> tuple[Floats, float]:
    log_joint = _LOG_WEIGHTS + sum(each @ np.log(_chances(point)[0]).T for point, each in zip(points, given, strict=True))
    top = log_joint.max(axis=1, keepdims=True)
    joint = np.exp(log_joint - top)
    total = joint.sum(axis=1, keepdims=True)
    return joint / total, float((np.log(total) + top).sum())


def _improved(point: Floats, counts: Floats) -> Floats:
    """One step of Fisher's scoring on expected counts (nodes, scores), halved until the intercepts still fall and it leads uphill."""
    chance, by = _chances(point)
    gradient = np.einsum("kqs,qs->k", by, counts / chance)
    information = np.einsum("kqs,lqs,qs->kl", by, by, counts.sum(axis=1)[:, None] / chance)
    move = np.linalg.solve(information + 1e-9 * np.eye(point.size), gradient)
    now = (counts * np.log(chance)).sum()
    for _ in range(_HALVINGS):
        there = point + move
        if (
            (np.diff(there[1:]) < 0).all()
            and abs(there[0]) <= GREATEST_SLOPE
            and (counts * np.log(_chances(there)[0])).sum() > now
        ):
            return np.asarray(there)
        move = move / 2
    return point


def _graded_calibration(
    points: Sequence[Floats], given: Sequence[NDArray[np.bool_]], weight: Floats, log_likelihood: float, steps: int
) -> GradedCalibration:
    gradients = []
    for point, each in zip(points, given, strict=True):
        chance, by = _chances(point)
        gradients.append(np.stack([(weight * (each @ (one / chance).T)).sum(axis=1) for one in by], axis=1))
    stacked = np.concatenate(gradients, axis=1)
    try:
        covariance = np.linalg.inv(stacked.T @ stacked)
    except np.linalg.LinAlgError:
        covariance = np.full((stacked.shape[1],) * 2, np.nan)
    size, widest = len(points), max(each.size for each in points) - 1
    threshold, threshold_error = np.full((size, widest), np.inf), np.full((size, widest), np.nan)
    slope_error = np.full(size, np.nan)
    first = 0
    for place, point in enumerate(points):
        own = covariance[first : first + point.size, first : first + point.size]
        first += point.size
        slope, intercepts = point[0], point[1:]
        threshold[place, : intercepts.size] = -intercepts / slope
        slope_error[place] = np.sqrt(own[0, 0])
        # A threshold is -d / a: its derivatives are d / a² and -1 / a.
        variance = (
            (intercepts / slope**2) ** 2 * own[0, 0] + np.diagonal(own)[1:] / slope**2 - 2 * intercepts / slope**3 * own[0, 1:]
        )
        threshold_error[place, : intercepts.size] = np.sqrt(np.maximum(variance, 0))
    items = GradedItems(np.array([each[0] for each in points]), threshold)
    return GradedCalibration(items, slope_error, threshold_error, log_likelihood, steps < _STEPS, steps)
