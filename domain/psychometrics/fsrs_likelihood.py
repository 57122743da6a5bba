"""How likely FSRS-6 makes a log of reviews, and the derivatives of that by its 21 weights.

Every review that comes a day or more after the one before is a trial of P(recall); the first review of a memory and those of the same
day only move it. All memories run side by side, review number by review number, in logarithms of stability; the local derivatives of
every review are then one pass over all of them, and a pass backwards carries the loss through the recursion (back-propagation through
time, Werbos 1990).
"""

from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.psychometrics.fsrs import (
    GREATEST_DIFFICULTY,
    GREATEST_STABILITY,
    LEAST_DIFFICULTY,
    LEAST_STABILITY,
    RETENTION,
)
from domain.psychometrics.sequences import Steps, first_of_each

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Kinds: TypeAlias = tuple[Integers, ...]
"""The places of same-day reviews, of lapses and of recalls."""

MOST_REVIEWS: Final = 64
"""Reviews of a memory that count; what comes after says little of the weights and much of one item."""

_LEAST, _GREATEST = float(np.log(LEAST_STABILITY)), float(np.log(GREATEST_STABILITY))
_TINY: Final = 1e-12


class Reviews(NamedTuple):
    """Reviews of many memories in the order of steps (`sequences.Steps`), n in all.

    `rating` (n,) from 1 to 4; `elapsed` (n,) calendar days since the one before, of a first review not used; `counts` (n,) whether it is
    a trial. `places` are those of all same-day reviews, lapses and recalls but the first of a memory; `kinds` are the same step by step,
    counted from the begin of the step.
    """

    steps: Steps
    rating: Integers
    elapsed: Floats
    counts: NDArray[np.bool_]
    places: Kinds
    kinds: tuple[Kinds, ...]
    kept: NDArray[np.bool_]
    """(all reviews,), in the order they were given: those that are here."""

    @classmethod
    def of(cls, lengths: ArrayLike, ratings: ArrayLike, elapsed_days: ArrayLike) -> "Reviews":
        """Lays out the reviews of memories that lie one after another, `lengths` reviews each, each memory's in order.

        Raises ValueError for ratings other than 1 to 4 and days below 0 or not finite.
        """
        length = np.asarray(lengths, dtype=np.int64)
        rating, elapsed = np.asarray(ratings), np.asarray(elapsed_days, dtype=np.float64)
        if not len(rating) == len(elapsed) == length.sum():
            raise ValueError(f"{length.sum()} reviews need as many ratings and days, not {len(rating)} and {len(elapsed)}")
        if not np.isin(rating, (1, 2, 3, 4)).all():
            raise ValueError("a rating must be 1, 2, 3 or 4")
        if not ((elapsed >= 0) & (elapsed < np.inf)).all():
            raise ValueError("elapsed days must be 0 or more and finite")
        kept = first_of_each(length, MOST_REVIEWS)
        steps = Steps.of(np.minimum(length, MOST_REVIEWS))
        rating, elapsed = rating[kept][steps.place].astype(np.int64), elapsed[kept][steps.place]
        first = np.arange(len(rating)) < steps.begins[1]
        masks = (elapsed < 1, (elapsed >= 1) & (rating == 1), (elapsed >= 1) & (rating > 1))
        kinds = [tuple(np.flatnonzero(mask[here]) for mask in masks) for here, _ in steps.forward()]
        places = tuple(np.flatnonzero(mask & ~first) for mask in masks)
        return cls(steps, rating, elapsed, (elapsed >= 1) & ~first, places, tuple(kinds), kept)

    @property
    def trials(self) -> int:
        """How many reviews test the prediction of P(recall)."""
        return int(self.counts.sum())


class _Passed(NamedTuple):
    """What the memories went through: before each review log-stability and difficulty, after it both not yet clamped, and log P(recall);
    each of shape (n,). At first reviews, only what comes after has a meaning."""

    stability: Floats
    difficulty: Floats
    raw_stability: Floats
    raw_difficulty: Floats
    log_recall: Floats


def recall_of(reviews: Reviews, weights: ArrayLike) -> Floats:
    """Returns P(recall) predicted before each kept review (n,), memories one after another as given; 1 for the first of a memory."""
    recall = np.ones(len(reviews.rating))
    recall[reviews.steps.place] = np.exp(_pass(reviews, np.asarray(weights, dtype=np.float64)).log_recall)
    return recall


def loss_and_gradient(reviews: Reviews, weights: Floats) -> tuple[float, Floats]:
    """Returns the sum of the log-loss over the trials, in nats, and its derivatives by the weights (21,)."""
    passed = _pass(reviews, weights)
    at = np.flatnonzero(reviews.counts)
    recalled = reviews.rating[at] > 1
    log_recall = np.minimum(passed.log_recall[at], -_TINY)
    odds = 1 / np.expm1(-log_recall)  # R / (1 - R)
    loss = -float(np.where(recalled, log_recall, log_recall - np.log(odds)).sum())
    by_recall = np.zeros(len(reviews.rating))
    by_recall[at] = np.where(recalled, -1.0, odds)
    return loss, _gradient(reviews, weights, passed, by_recall)


def _pass(reviews: Reviews, w: Floats) -> _Passed:
    count = len(reviews.rating)
    passed = _Passed(*(np.zeros(count) for _ in _Passed._fields))
    factor, easiest = _factor(w), w[4] - np.exp(3 * w[5]) + 1
    first = slice(0, reviews.steps.begins[1])
    passed.raw_stability[first] = np.log(w[reviews.rating[first] - 1])
    passed.raw_difficulty[first] = w[4] - np.exp(w[5] * (reviews.rating[first] - 1)) + 1
    penalty = _penalty(w)[reviews.rating]
    hardening = w[6] * (reviews.rating - 3) / 9
    for (here, before), (today, lapses, recalls) in zip(reviews.steps.forward(), reviews.kinds, strict=True):
        s = np.minimum(np.maximum(passed.raw_stability[before], _LEAST), _GREATEST)
        d = np.minimum(np.maximum(passed.raw_difficulty[before], LEAST_DIFFICULTY), GREATEST_DIFFICULTY)
        log_recall = -w[20] * np.log1p(factor * reviews.elapsed[here] * np.exp(-s))
        forgotten = -np.expm1(log_recall)
        after = s.copy()
        if len(recalls):
            gain = np.exp(w[8] - w[9] * s[recalls]) * (11 - d[recalls]) * np.expm1(w[10] * forgotten[recalls])
            after[recalls] += np.log1p(gain * penalty[here][recalls])
        if len(lapses):
            kept = np.log(np.expm1(w[13] * np.log1p(np.exp(s[lapses]))))
            kept += np.log(w[11]) - w[12] * np.log(d[lapses]) + w[14] * forgotten[lapses]
            after[lapses] = np.minimum(kept, s[lapses] - w[17] * w[18])
        if len(today):
            rating = reviews.rating[here][today]
            change = w[17] * (rating - 3 + w[18]) - w[19] * s[today]
            after[today] += np.where(rating == 1, change, np.maximum(change, 0.0))
        passed.stability[here], passed.difficulty[here], passed.log_recall[here] = s, d, log_recall
        passed.raw_stability[here] = after
        passed.raw_difficulty[here] = w[7] * easiest + (1 - w[7]) * (d - hardening[here] * (10 - d))
    return passed


class _Local(NamedTuple):
    """Derivatives of the log-stability after each review by what was before it, (n,): log-stability, difficulty, log P(recall); and by
    the weights that they belong to: (weight, places, derivatives)."""

    stability: Floats
    difficulty: Floats
    log_recall: Floats
    weights: list[tuple[int, Integers, Floats]]


def _local(reviews: Reviews, w: Floats, passed: _Passed) -> _Local:
    count = len(reviews.rating)
    local = _Local(np.ones(count), np.zeros(count), np.zeros(count), [])
    today, lapses, recalls = reviews.places
    recall = np.exp(passed.log_recall)
    forgotten = -np.expm1(passed.log_recall)

    s, d, lost = passed.stability[recalls], passed.difficulty[recalls], np.maximum(forgotten[recalls], _TINY)
    grown = -np.expm1(passed.stability[recalls] - passed.raw_stability[recalls])  # gain / (1 + gain)
    steep = grown / -np.expm1(-w[10] * lost)
    local.stability[recalls] -= w[9] * grown
    local.difficulty[recalls] = -grown / (11 - d)
    local.log_recall[recalls] = -steep * w[10] * recall[recalls]
    local.weights.extend([(8, recalls, grown), (9, recalls, -s * grown), (10, recalls, steep * lost)])
    for rating, weight in ((2, 15), (4, 16)):
        chosen = reviews.rating[recalls] == rating
        local.weights.append((weight, recalls[chosen], grown[chosen] / max(w[weight], _TINY)))

    s, after = passed.stability[lapses], passed.raw_stability[lapses]
    capped = after >= s - w[17] * w[18]
    local.weights.extend(
        [(17, lapses[capped], np.full(capped.sum(), -w[18])), (18, lapses[capped], np.full(capped.sum(), -w[17]))]
    )
    free = lapses[~capped]
    d, lost, size = passed.difficulty[free], forgotten[free], np.log1p(np.exp(s[~capped]))
    steep = 1 / -np.expm1(-w[13] * size)
    local.stability[free] = steep * w[13] * -np.expm1(-size)
    local.difficulty[free] = -w[12] / d
    local.log_recall[free] = -w[14] * recall[free]
    local.weights.extend([(11, free, np.full(len(free), 1 / w[11])), (12, free, -np.log(d))])
    local.weights.extend([(13, free, steep * size), (14, free, lost)])

    moved = today[(reviews.rating[today] == 1) | (passed.raw_stability[today] > passed.stability[today])]
    local.stability[moved] -= w[19]
    rating = reviews.rating[moved] - 3
    local.weights.extend(
        [(17, moved, rating + w[18]), (18, moved, np.full(len(moved), w[17])), (19, moved, -passed.stability[moved])]
    )
    return local


def _gradient(reviews: Reviews, w: Floats, passed: _Passed, by_recall: Floats) -> Floats:
    """The derivatives of the loss by the weights, given those by log P(recall) at each review."""
    local = _local(reviews, w, passed)
    later = slice(reviews.steps.begins[1], None)
    worn = -np.expm1(passed.log_recall / w[20])  # F t / S / (1 + F t / S)
    fading = w[20] * worn
    keeps = local.stability + local.log_recall * fading
    enters = by_recall * fading
    hardening = (1 - w[7]) * (1 + w[6] * (reviews.rating - 3) / 9)
    free_stability = (passed.raw_stability > _LEAST) & (passed.raw_stability < _GREATEST)
    free_difficulty = (passed.raw_difficulty > LEAST_DIFFICULTY) & (passed.raw_difficulty < GREATEST_DIFFICULTY)
    by_stability, by_difficulty = np.zeros(len(worn)), np.zeros(len(worn))
    for here, before in reviews.steps.backward():
        by_stability[before] = (by_stability[here] * keeps[here] + enters[here]) * free_stability[before]
        by_difficulty[before] = (
            by_stability[here] * local.difficulty[here] + by_difficulty[here] * hardening[here]
        ) * free_difficulty[before]

    gradient = np.zeros(len(w))
    for weight, places, derivatives in local.weights:
        gradient[weight] += _dot(by_stability[places], derivatives)
    factor = _factor(w)
    bending = (factor + 1) * np.log(RETENTION) / w[20] ** 2 / factor
    through_recall = (by_recall + by_stability * local.log_recall)[later]
    gradient[20] = _dot(through_recall, (passed.log_recall / w[20] - w[20] * worn * bending)[later])

    rating, d, by_d = reviews.rating[later] - 3, passed.difficulty[later], by_difficulty[later]
    moved = d - w[6] * rating * (10 - d) / 9
    gradient[4] = w[7] * by_d.sum()
    gradient[5] = -3 * w[7] * np.exp(3 * w[5]) * by_d.sum()
    gradient[6] = -(1 - w[7]) * _dot(by_d, rating * (10 - d)) / 9
    gradient[7] = _dot(by_d, w[4] - np.exp(3 * w[5]) + 1 - moved)

    first = slice(0, reviews.steps.begins[1])
    rating = reviews.rating[first] - 1
    gradient[4] += by_difficulty[first].sum()
    gradient[5] -= _dot(by_difficulty[first], rating * np.exp(w[5] * rating))
    gradient[:4] = np.bincount(rating, by_stability[first], minlength=4) / w[:4]
    return gradient


def _dot(one: Floats, other: Floats) -> float:
    """The scalar product without BLAS, whose threads cost more than they save at some ten thousand numbers."""
    return float(np.einsum("i,i->", one, other))


def _factor(w: Floats) -> float:
    return float(RETENTION ** (-1 / w[20]) - 1)


def _penalty(w: Floats) -> Floats:
    """The factor of the gain in stability by rating."""
    return np.array([0.0, 0.0, w[15], 1.0, w[16]])
