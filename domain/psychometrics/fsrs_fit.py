"""The weights of FSRS-6 under which a log of reviews is most likely.

A weak Gaussian prior around the default weights keeps those where they are that a small log says nothing of: its standard deviation is
the size of the default weight (at least a twentieth of its range), for the four initial stabilities a factor of e.
"""

from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from domain.psychometrics.fsrs import DEFAULT_WEIGHTS, GREATEST_WEIGHTS, LEAST_WEIGHTS, Weights, clamped
from domain.psychometrics.fsrs_likelihood import Reviews, loss_and_gradient
from domain.psychometrics.minimisation import minimise

Floats: TypeAlias = NDArray[np.float64]

_INITIAL: Final = slice(0, 4)


class Fit(NamedTuple):
    """Fitted weights. Log-losses are means over the trials, in nats; `converged` is false when the iterations ran out first."""

    weights: Weights
    log_loss: float
    default_log_loss: float
    trials: int
    iterations: int
    converged: bool


def fit(reviews: Reviews, *, most_iterations: int = 150) -> Fit:
    """Returns the most likely weights given the reviews and the prior. Without a single trial they are the default ones."""
    default = np.array(DEFAULT_WEIGHTS)
    spread = _spread()

    def objective(place: Floats) -> tuple[float, Floats]:
        weights = _weights(place)
        loss, gradient = loss_and_gradient(reviews, weights)
        gradient[_INITIAL] *= weights[_INITIAL]
        return loss + float(place @ place) / 2, gradient * spread + place

    low, high = (_place(np.array(bounds)) for bounds in (LEAST_WEIGHTS, GREATEST_WEIGHTS))
    found = minimise(objective, np.zeros(len(default)), low, high, tolerance=1e-7, most_iterations=most_iterations)
    weights = clamped(_weights(found.place).tolist())
    trials = max(reviews.trials, 1)
    after, before = (loss_and_gradient(reviews, np.array(each))[0] / trials for each in (weights, DEFAULT_WEIGHTS))
    return Fit(weights, after, before, reviews.trials, found.iterations, found.converged)


def deviations(reviews: Reviews, weights: Weights) -> Floats:
    """Returns the posterior standard deviation of each weight (21,), from the curvature of log-loss and prior at the fitted weights.

    A weight at one of its bounds has none: NaN.
    """
    at, spread = np.array(weights), _spread()
    scale = np.where(np.arange(len(at)) < _INITIAL.stop, at, 1.0) * spread
    inside = (at > np.array(LEAST_WEIGHTS)) & (at < np.array(GREATEST_WEIGHTS))
    free = np.flatnonzero(inside)
    curvature = np.eye(len(free))
    for row, index in enumerate(free):
        step = np.zeros(len(at))
        step[index] = 1e-3 * scale[index]
        above, below = (loss_and_gradient(reviews, at + sign * step)[1] for sign in (1, -1))
        curvature[row] += ((above - below) * scale)[free] / 2e-3
    values, vectors = np.linalg.eigh((curvature + curvature.T) / 2)
    # The prior gives every direction a curvature of 1; where the log-loss bends the other way, what is known is the prior.
    variance = ((vectors**2) / np.maximum(values, 1.0)).sum(axis=1)
    result = np.full(len(at), np.nan)
    result[free] = np.sqrt(variance) * scale[free]
    return result


def _spread() -> Floats:
    default, low, high = (np.array(each) for each in (DEFAULT_WEIGHTS, LEAST_WEIGHTS, GREATEST_WEIGHTS))
    spread = np.maximum(np.abs(default), (high - low) / 20)
    spread[_INITIAL] = 1.0
    return np.asarray(spread)


def _place(weights: Floats) -> Floats:
    """Weights in the prior's standard deviations from the default ones."""
    default = np.array(DEFAULT_WEIGHTS)
    place = weights - default
    place[_INITIAL] = np.log(weights[_INITIAL] / default[_INITIAL])
    return np.asarray(place / _spread())


def _weights(place: Floats) -> Floats:
    default, moved = np.array(DEFAULT_WEIGHTS), place * _spread()
    weights = default + moved
    weights[_INITIAL] = default[_INITIAL] * np.exp(moved[_INITIAL])
    return weights
