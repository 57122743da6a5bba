"""Item response theory for right and wrong answers: the one-, two- and three-parameter logistic models.

    P(correct | ability t) = guess + (1 - guess) logistic(slope (t - difficulty))

Birnbaum (1968), "Some latent trait models and their use in inferring an examinee's ability", in Lord and Novick, "Statistical theories of
mental test scores", chapters 17-20. The metric is the logistic one, D = 1; ability and difficulty are in its logits and abilities are
standard normal in the population that the items were calibrated on. The two-parameter model has guess 0; the one-parameter model has in
addition one slope for all items.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.shared.errors import FieldViolation, InvalidInput

Floats = NDArray[np.float64]

GREATEST_SLOPE: Final = 20.0
GREATEST_DIFFICULTY: Final = 50.0
_NODES: Final = 121
_DENSE_NODES: Final = 241
_REACH: Final = 6.0  # how many deviations either side of the middle the quadrature goes
_LEAST: Final = 1e-300


class Items(NamedTuple):
    """Item parameters, each of shape (n,): slope in 1 / logit, difficulty in logits, guess as a probability."""

    slope: Floats
    difficulty: Floats
    guess: Floats

    @classmethod
    def of(cls, slope: ArrayLike, difficulty: ArrayLike, guess: ArrayLike = 0.0) -> "Items":
        """Returns the items; single numbers stand for all. Raises InvalidInput naming what no item can have."""
        try:
            arrays = np.broadcast_arrays(
                *(np.atleast_1d(np.asarray(each, dtype=np.float64)) for each in (slope, difficulty, guess))
            )
        except (TypeError, ValueError):
            raise InvalidInput.of("items", "slope, difficulty and guess must be numbers, as many of each") from None
        return checked(cls(*(each.copy() for each in arrays)))

    def take(self, indices: Sequence[int] | NDArray[np.integer]) -> "Items":
        """Returns the items at `indices`, in that order."""
        chosen = np.asarray(indices, dtype=np.intp)
        return Items(self.slope[chosen], self.difficulty[chosen], self.guess[chosen])


class AbilityEstimate(NamedTuple):
    """Mean and standard deviation of the posterior of an ability, in logits."""

    mean: float
    error: float


def checked(items: Items) -> Items:
    """Returns the items if all are possible: slope in (0, 20], difficulty in ±50, guess in [0, 1). Else raises InvalidInput."""
    slope, difficulty, guess = items
    if not slope.ndim == difficulty.ndim == guess.ndim == 1 or not slope.size == difficulty.size == guess.size:
        raise InvalidInput.of("items", "slope, difficulty and guess must be lists of one length")
    rules = (
        ("slope", (slope > 0) & (slope <= GREATEST_SLOPE), f"must be above 0 and at most {GREATEST_SLOPE:g}"),
        (
            "difficulty",
            np.abs(difficulty) <= GREATEST_DIFFICULTY,
            f"must be from -{GREATEST_DIFFICULTY:g} to {GREATEST_DIFFICULTY:g}",
        ),
        ("guess", (guess >= 0) & (guess < 1), "must be at least 0 and below 1"),
    )
    violations = [
        FieldViolation(f"items[{int(np.argmin(holds))}].{name}", f"{rule}, and a number")
        for name, holds, rule in rules
        if not holds.all()
    ]
    if violations:
        raise InvalidInput(violations)
    return items


def logistic(logit: Floats) -> Floats:
    """1 / (1 + exp(-x)) without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logit)))


def probability(items: Items, ability: float) -> Floats:
    """Returns P(correct) of each item, shape (n,)."""
    return np.asarray(probabilities(items, np.array([ability]))[0])


def probabilities(items: Items, abilities: Floats) -> Floats:
    """Returns P(correct) at each ability of each item, shape (abilities, n)."""
    known = logistic(items.slope * (abilities[:, None] - items.difficulty))
    return np.asarray(items.guess + (1 - items.guess) * known)


def information(items: Items, ability: float) -> Floats:
    """Returns each item's Fisher information about the ability, shape (n,), in 1 / logit².

    a² (1 - c) s² (1 - s) / (c + (1 - c) s) with s = logistic(a (t - b)); Birnbaum (1968), section 20.4.
    """
    return np.asarray(informations(items, np.array([ability]))[0])


def informations(items: Items, abilities: Floats) -> Floats:
    """Returns the information at each ability of each item, shape (abilities, n), in 1 / logit²."""
    known = logistic(items.slope * (abilities[:, None] - items.difficulty))
    right = np.maximum(items.guess + (1 - items.guess) * known, _LEAST)
    return np.asarray(items.slope**2 * (1 - items.guess) * known**2 * (1 - known) / right)


def eap(
    items: Items,
    correct: Sequence[bool | float],
    prior_mean: float = 0.0,
    prior_deviation: float = 1.0,
) -> AbilityEstimate:
    """Returns the expected a posteriori ability under a normal prior (Bock and Mislevy 1982), and its standard error.

    `items` are those answered and `correct` the answers to them, in the same order; a score between 0 and 1 counts as that share of a
    right and the rest of a wrong answer. Without answers it is the prior. The order does not matter. All right or all wrong has a finite
    answer too, by the prior. Raises InvalidInput for impossible items, scores or priors.

    The posterior is summed at 121 equidistant nodes, which are moved to where it is until they lie densely enough.
    """
    score = np.asarray(correct, dtype=np.float64)
    if score.shape != items.slope.shape:
        raise InvalidInput.of("correct", f"must hold one score for each of the {items.slope.size} items")
    if not ((score >= 0) & (score <= 1)).all():
        raise InvalidInput.of("correct", "must be from 0 (wrong) to 1 (right)")
    if not (np.isfinite(prior_mean) and abs(prior_mean) <= GREATEST_DIFFICULTY):
        raise InvalidInput.of("prior_mean", f"must be from -{GREATEST_DIFFICULTY:g} to {GREATEST_DIFFICULTY:g}")
    if not 0 < prior_deviation <= GREATEST_DIFFICULTY:
        raise InvalidInput.of("prior_deviation", f"must be above 0 and at most {GREATEST_DIFFICULTY:g}")
    checked(items)
    middle, reach = prior_mean, _REACH * prior_deviation
    while True:
        nodes = middle + np.linspace(-reach, reach, _NODES)
        density = _log_likelihood(items, score, nodes) - 0.5 * ((nodes - prior_mean) / prior_deviation) ** 2
        weight = np.exp(density - density.max())
        weight /= weight.sum()
        mean = float(weight @ nodes)
        error = float(np.sqrt(weight @ (nodes - mean) ** 2))
        spacing = float(nodes[1] - nodes[0])
        # Sums of a bell curve at nodes closer than its deviation are as good as exact. When the nodes are too far apart to see the
        # bell, its deviation is at most about a spacing.
        if error >= spacing or reach <= 1e-6:
            return AbilityEstimate(mean, error)
        middle, reach = mean, 1.5 * _REACH * spacing


def abilities(items: Items, answers: NDArray[np.int8]) -> tuple[Floats, Floats]:
    """Returns the EAP of many learners at once and its standard error, each of shape (learners,), under a standard normal prior.

    `answers` has shape (learners, n): 1 right, 0 wrong, anything else not answered. It is for tests of up to some hundreds of items: the
    nodes are 0.05 logits apart.
    """
    nodes = np.linspace(-_REACH, _REACH, _DENSE_NODES)
    right = np.clip(probabilities(items, nodes).T, 1e-12, 1 - 1e-12)
    density = (answers == 1) @ np.log(right) + (answers == 0) @ np.log1p(-right) - 0.5 * nodes**2
    weight = np.exp(density - density.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    mean = weight @ nodes
    return mean, np.sqrt(np.maximum(weight @ nodes**2 - mean**2, 0.0))


def _log_likelihood(items: Items, score: Floats, nodes: Floats) -> Floats:
    logit = items.slope * (nodes[:, None] - items.difficulty)
    right = items.guess + (1 - items.guess) * logistic(logit)
    wrong = (1 - items.guess) * logistic(-logit)
    return np.asarray(np.log(np.maximum(right, _LEAST)) @ score + np.log(np.maximum(wrong, _LEAST)) @ (1 - score))
