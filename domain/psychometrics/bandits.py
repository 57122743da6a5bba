"""Linear contextual bandits whose arms' probabilities are known exactly.

Each arm has a Bayesian linear regression of reward on context: a Gaussian belief about its coefficients, with Gaussian noise of known
variance. Thompson sampling plays each arm with the probability that its expected reward is the greatest (Thompson 1933; Agrawal and Goyal
2013, "Thompson sampling for contextual bandits with linear payoffs"). Given the context, the expected rewards of the arms are independent
Gaussians, so that probability is an integral over one variable, computed here rather than sampled: what judges a policy by its records
needs the probability itself. LinUCB plays the arm with the greatest upper confidence bound (Li, Chu, Langford and Schapire 2010, "A
contextual-bandit approach to personalized news article recommendation"); explored uniformly now and then, it has probabilities too.

Shapes: d is the length of a context, k the number of arms. Every function raises ValueError for shapes that do not fit together and for
numbers that are not finite.
"""

from collections.abc import Sequence
from math import erfc, sqrt
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]


class LinearPosterior(NamedTuple):
    """A belief about one arm: coefficients with `mean` (d,) and `covariance` (d, d), and `noise`, the variance of a reward around its
    expectation."""

    mean: Floats
    covariance: Floats
    noise: float


def prior(dimensions: int, deviation: float = 1.0, noise: float = 0.25) -> LinearPosterior:
    """Returns the belief before any reward: independent coefficients around 0 with this standard deviation."""
    if dimensions < 1:
        raise ValueError(f"a context needs at least one number, not {dimensions}")
    return checked(LinearPosterior(np.zeros(dimensions), np.eye(dimensions) * deviation**2, noise))


def checked(posterior: LinearPosterior) -> LinearPosterior:
    """Returns the posterior as float64 arrays. Raises ValueError unless the covariance is symmetric and positive definite."""
    mean, covariance = np.asarray(posterior.mean, np.float64), np.asarray(posterior.covariance, np.float64)
    if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)):
        raise ValueError(f"a mean of shape {mean.shape} does not fit a covariance of shape {covariance.shape}")
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise ValueError("mean and covariance must be finite")
    if not 0.0 < posterior.noise < np.inf:
        raise ValueError(f"noise must be positive and finite, not {posterior.noise}")
    if not np.allclose(covariance, covariance.T, rtol=1e-9, atol=1e-12) or np.linalg.eigvalsh(covariance)[0] <= 0.0:
        raise ValueError("covariance must be symmetric and positive definite")
    return LinearPosterior(mean, covariance, float(posterior.noise))


def updated(posterior: LinearPosterior, context: ArrayLike, reward: float) -> LinearPosterior:
    """Returns the belief after a reward in a context (d,): one Kalman step, O(d²)."""
    x = _context(context, len(posterior.mean))
    if not np.isfinite(reward):
        raise ValueError(f"reward must be finite, not {reward}")
    spread = posterior.covariance @ x
    variance = posterior.noise + float(x @ spread)
    mean = posterior.mean + spread * ((reward - float(posterior.mean @ x)) / variance)
    covariance = posterior.covariance - np.outer(spread, spread) / variance
    return LinearPosterior(mean, (covariance + covariance.T) / 2.0, posterior.noise)


def fitted(start: LinearPosterior, contexts: ArrayLike, rewards: ArrayLike) -> LinearPosterior:
    """Returns the belief after many rewards (n,) in contexts (n, d), whatever their order: what `updated` gives one by one."""
    x, y = np.asarray(contexts, np.float64), np.asarray(rewards, np.float64)
    if x.ndim != 2 or x.shape != (len(y), len(start.mean)):
        raise ValueError(f"contexts of shape {x.shape} do not fit {len(y)} rewards and {len(start.mean)} coefficients")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("contexts and rewards must be finite")
    precision = np.linalg.inv(start.covariance)
    covariance = np.linalg.inv(precision + x.T @ x / start.noise)
    mean = covariance @ (precision @ start.mean + x.T @ y / start.noise)
    return LinearPosterior(mean, (covariance + covariance.T) / 2.0, start.noise)


def thompson_probabilities(arms: Sequence[LinearPosterior], context: ArrayLike) -> Floats:
    """Returns the probability (k,) that each arm's expected reward in a context (d,) is the greatest."""
    return greatest_probabilities(*_rewards(arms, context))


def linucb_scores(arms: Sequence[LinearPosterior], context: ArrayLike, width: float = 1.0) -> Floats:
    """Returns each arm's upper confidence bound (k,): expected reward plus `width` standard deviations of it."""
    means, deviations = _rewards(arms, context)
    bounds: Floats = means + width * deviations
    return bounds


def linucb_probabilities(
    arms: Sequence[LinearPosterior], context: ArrayLike, width: float = 1.0, exploration: float = 0.05
) -> Floats:
    """Returns the probabilities (k,) of LinUCB that plays any arm with the probability `exploration`, each as often.

    Arms that tie for the greatest bound share the rest. Raises ValueError for an exploration outside (0, 1]: without it, most arms would
    have no probability, and no record could say anything of them.
    """
    if not 0.0 < exploration <= 1.0:
        raise ValueError(f"exploration must be in (0, 1], not {exploration}")
    scores = linucb_scores(arms, context, width)
    best = scores == scores.max()
    return np.asarray(exploration / len(scores) + (1.0 - exploration) * best / best.sum())


def greatest_probabilities(means: ArrayLike, deviations: ArrayLike) -> Floats:
    """Returns for independent Gaussians (k,) the probability of each to be the greatest; the absolute error is below 1e-9.

    P(i) is the integral of i's density times the others' distribution functions. It is cut where any of the k has moved on by one and a
    half of its standard deviations, however different these are, and each piece is integrated by Gauss and Legendre's rule of 12 points.
    A deviation of nothing counts as 1e-9 of the scale of all, so that equal constants share.
    """
    m, s = np.asarray(means, np.float64), np.asarray(deviations, np.float64)
    if m.ndim != 1 or m.shape != s.shape or not len(m):
        raise ValueError(f"means of shape {m.shape} do not fit deviations of shape {s.shape}")
    if not (np.isfinite(m).all() and np.isfinite(s).all() and (s >= 0.0).all()):
        raise ValueError("means and deviations must be finite, and deviations not negative")
    if len(m) == 1:
        return np.ones(1)
    m = m - m.max()
    scale = max(float(s.max()), float(-m.min())) or 1.0
    s = np.maximum(s, _LEAST_DEVIATION * scale)
    # Below the point that one of them surely exceeds, nobody is the greatest.
    lowest = (m - _TAIL * s).max()
    cuts = np.unique(np.maximum((m[:, None] + s[:, None] * _CUTS).ravel(), lowest))
    half = np.diff(cuts)[:, None] / 2.0
    points = (cuts[:-1, None] + half + half * _NODES).ravel()
    weights = (half * _NODE_WEIGHTS).ravel()
    z = (points - m[:, None]) / s[:, None]
    below = _distribution(z)
    density = np.exp(-0.5 * z * z) * (weights * _PEAK) / s[:, None]
    found = np.array([(density[i] * np.delete(below, i, axis=0).prod(axis=0)).sum() for i in range(len(m))])
    return np.asarray(found / found.sum())


_LEAST_DEVIATION: Final = 1e-9
_TAIL: Final = 7.5
_CUTS: Final = np.arange(-_TAIL, _TAIL + 0.1, 1.5)
_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(12)
_PEAK: Final = 1.0 / sqrt(2.0 * np.pi)
# numpy has no distribution function of the normal: cubic Hermite interpolation between exact values, with an error below 1e-12.
_STEP: Final = 1.0 / 256.0
_GRID: Final = np.arange(-8.0, 8.0 + _STEP / 2.0, _STEP)
_AT_GRID: Final = np.array([0.5 * erfc(-each / sqrt(2.0)) for each in _GRID.tolist()])
_SLOPE_AT_GRID: Final = _PEAK * np.exp(-0.5 * _GRID * _GRID) * _STEP


def _distribution(z: Floats) -> Floats:
    """P(standard normal <= z), of any shape; beyond ±8 it is that of ±8, which is 0 or 1 to 15 digits."""
    place = (np.clip(z, -8.0, 8.0) + 8.0) / _STEP
    left = np.minimum(place.astype(np.intp), len(_GRID) - 2)
    t = place - left
    rest = 1.0 - t
    values: Floats = (
        (1.0 + 2.0 * t) * rest * rest * _AT_GRID[left]
        + t * t * (3.0 - 2.0 * t) * _AT_GRID[left + 1]
        + t * rest * (rest * _SLOPE_AT_GRID[left] - t * _SLOPE_AT_GRID[left + 1])
    )
    return values


def _rewards(arms: Sequence[LinearPosterior], context: ArrayLike) -> tuple[Floats, Floats]:
    """Means and standard deviations (k,) of the arms' expected rewards in a context."""
    if not arms:
        raise ValueError("there is no arm")
    x = _context(context, len(arms[0].mean))
    if any(len(each.mean) != len(x) for each in arms):
        raise ValueError("arms must have as many coefficients as one another")
    means = np.array([float(each.mean @ x) for each in arms])
    variances = np.array([float(x @ each.covariance @ x) for each in arms])
    return means, np.sqrt(np.maximum(variances, 0.0))


def _context(context: ArrayLike, dimensions: int) -> Floats:
    x = np.asarray(context, np.float64)
    if x.shape != (dimensions,):
        raise ValueError(f"a context of shape {x.shape} does not fit {dimensions} coefficients")
    if not np.isfinite(x).all():
        raise ValueError("a context must be finite")
    return x
