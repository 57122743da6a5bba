"""FSRS-6 for many memories at once: the formulas of `fsrs`, one pass of numpy over arrays of shape (n,), the same intervals.

Only recalls, lapses and same-day reviews that are there are computed, each once for all of its kind.
"""

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.psychometrics.fsrs import (
    GREATEST_DIFFICULTY,
    GREATEST_STABILITY,
    LEAST_DIFFICULTY,
    LEAST_STABILITY,
    LONGEST_INTERVAL,
    RETENTION,
    Fsrs,
)

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]


class Memories(NamedTuple):
    """Difficulties from 1 to 10 and stabilities in days, each of shape (n,)."""

    difficulty: Floats
    stability: Floats


def first_each(model: Fsrs, ratings: ArrayLike) -> Memories:
    """Returns the memories after the first answers, rated 1 to 4. Raises ValueError for another rating."""
    rating = _ratings(ratings)
    w = np.array(model.weights)
    return Memories(_difficulty(w[4] - np.exp(w[5] * (rating - 1)) + 1), _stability(w[rating - 1]))


def retrievability_each(model: Fsrs, memories: Memories, elapsed_days: ArrayLike) -> Floats:
    """Returns P(recall) of each so many days after its last review. Raises ValueError for days below 0 or not finite."""
    elapsed = np.asarray(elapsed_days, dtype=np.float64)
    if not ((elapsed >= 0) & (elapsed < np.inf)).all():
        raise ValueError("elapsed days must be 0 or more and finite")
    return np.asarray((1 + model.factor * elapsed / memories.stability) ** -model.weights[20])


def next_each(model: Fsrs, memories: Memories, ratings: ArrayLike, elapsed_days: ArrayLike) -> Memories:
    """Returns the memories after another review each, so many calendar days after its last; 0 is the same day.

    Raises ValueError for ratings other than 1 to 4 and for days below 0 or not finite.
    """
    w = model.weights
    rating, elapsed = _ratings(ratings), np.asarray(elapsed_days, dtype=np.float64)
    forgotten = 1 - retrievability_each(model, memories, elapsed)
    stability = memories.stability.copy()

    today = np.flatnonzero(elapsed < 1)
    change = np.exp(w[17] * (rating[today] - 3 + w[18])) * stability[today] ** -w[19]
    stability[today] *= np.where(rating[today] == 1, change, np.maximum(change, 1.0))

    lapses = np.flatnonzero((elapsed >= 1) & (rating == 1))
    before = stability[lapses]
    left = w[11] * memories.difficulty[lapses] ** -w[12] * ((before + 1) ** w[13] - 1) * np.exp(forgotten[lapses] * w[14])
    stability[lapses] = np.minimum(left, before / model.lapse_divisor)

    recalls = np.flatnonzero((elapsed >= 1) & (rating > 1))
    before, factor = stability[recalls], np.array([0.0, 0.0, w[15], 1.0, w[16]])[rating[recalls]]
    gain = model.growth * (11 - memories.difficulty[recalls]) * before ** -w[9] * (np.exp(forgotten[recalls] * w[10]) - 1)
    stability[recalls] *= 1 + gain * factor

    moved = memories.difficulty - w[6] * (rating - 3) * (10 - memories.difficulty) / 9
    return Memories(_difficulty(w[7] * model.easy_difficulty + (1 - w[7]) * moved), _stability(stability))


def interval_each(model: Fsrs, memories: Memories, retention: float = RETENTION, longest: int = LONGEST_INTERVAL) -> Integers:
    """Returns the whole days, 1 to `longest`, after which P(recall) of each has fallen to about `retention`."""
    days = memories.stability / model.factor * model.decline(retention, longest)
    return np.asarray(np.clip(np.rint(days), 1, longest), dtype=np.int64)


def _ratings(ratings: ArrayLike) -> Integers:
    rating = np.asarray(ratings)
    if not np.isin(rating, (1, 2, 3, 4)).all():
        raise ValueError("a rating must be 1, 2, 3 or 4")
    return rating.astype(np.int64)


def _difficulty(values: Floats) -> Floats:
    return np.asarray(np.clip(values, LEAST_DIFFICULTY, GREATEST_DIFFICULTY))


def _stability(values: Floats) -> Floats:
    return np.asarray(np.clip(values, LEAST_STABILITY, GREATEST_STABILITY))
