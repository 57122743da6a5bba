"""Simulated logs with known parameters: what a fit must find again. The same seed gives the same log."""

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from domain.psychometrics.bkt_classic import SkillParameters
from domain.psychometrics.fsrs import DEFAULT_WEIGHTS, Fsrs, Weights, clamped
from domain.psychometrics.fsrs_batch import Memories, first_each, interval_each, next_each, retrievability_each

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]

_FIRST_RATINGS = (0.25, 0.15, 0.5, 0.1)
_RATINGS_OF_RECALL = (0.0, 0.2, 0.65, 0.15)


class SimulatedReviews(NamedTuple):
    """Reviews of memories that lie one after another: how many each has, and for each review its rating, the calendar days since the
    one before and P(recall) when it came."""

    lengths: Integers
    ratings: Integers
    elapsed_days: Integers
    recall: Floats


class SimulatedResponses(NamedTuple):
    """Answers in sequences that lie one after another, one for each learner and skill: the sequences' lengths, learners and skills, and
    for each answer whether it was right."""

    lengths: Integers
    learners: Integers
    skills: Integers
    correct: NDArray[np.bool_]


def different_weights(seed: int) -> Weights:
    """Returns weights that differ from the default ones by up to half of each."""
    rng = np.random.default_rng(seed)
    return clamped((np.array(DEFAULT_WEIGHTS) * rng.uniform(0.5, 1.5, len(DEFAULT_WEIGHTS))).tolist())


def simulated_reviews(count: int, weights: Weights, seed: int) -> SimulatedReviews:
    """Returns `count` reviews of memories that follow FSRS-6 with these weights.

    Their owners do not know the weights: they review when the default ones say, at 85 % retention, on average; sooner or later than that
    by a factor whose logarithm has a standard deviation of 0.6; and half of what they forgot again on the same day. A memory is left after
    each review with a probability of one in sixteen, after 64 in any case.
    """
    rng = np.random.default_rng(seed)
    truth, belief = Fsrs(weights), Fsrs()
    begun = count // 6  # more than are needed: the log is cut after `count` reviews
    rating = rng.choice((1, 2, 3, 4), begun, p=_FIRST_RATINGS)
    memory, believed = first_each(truth, rating), first_each(belief, rating)
    going = np.arange(begun)
    rows = [(going, rating, np.zeros(begun, dtype=np.int64), np.ones(begun))]
    for _ in range(63):
        stays = rng.random(len(going)) > 1 / 16
        going, rating = going[stays], rating[stays]
        memory, believed = (Memories(each.difficulty[stays], each.stability[stays]) for each in (memory, believed))
        planned = interval_each(belief, believed, 0.85) * rng.lognormal(0.0, 0.6, len(going))
        today = (rating == 1) & (rng.random(len(going)) < 0.5)
        elapsed = np.where(today, 0, np.clip(np.rint(planned), 1, 3650)).astype(np.int64)
        recall = retrievability_each(truth, memory, elapsed)
        recalled = rng.random(len(going)) < recall
        rating = np.where(recalled, rng.choice((1, 2, 3, 4), len(going), p=_RATINGS_OF_RECALL), 1)
        memory, believed = next_each(truth, memory, rating, elapsed), next_each(belief, believed, rating, elapsed)
        rows.append((going, rating, elapsed, recall))
    owner, ratings, days, recalls = (np.concatenate(column) for column in zip(*rows, strict=True))
    order = np.argsort(owner, kind="stable")[:count]
    return SimulatedReviews(np.bincount(owner[order]), ratings[order], days[order], recalls[order])


def simulated_parameters(skills: int, seed: int, *, forget: bool = False) -> SkillParameters:
    """Returns parameters spread evenly over what is found in courses: prior 0.1 to 0.7, learn 0.03 to 0.3, guess 0.05 to 0.35, slip 0.02
    to 0.2, and forget 0 or, if asked for, 0.005 to 0.08."""
    rng = np.random.default_rng(seed)
    ranges = ((0.1, 0.7), (0.03, 0.3), (0.05, 0.35), (0.02, 0.2), (0.005, 0.08) if forget else (0.0, 0.0))
    return SkillParameters(*(rng.uniform(low, high, skills) for low, high in ranges))


def simulated_responses(count: int, parameters: SkillParameters, learners: int, seed: int) -> SimulatedResponses:
    """Returns `count` answers to skills with these parameters: each learner practises a random part of the skills, each 1 to 60 times,
    most of them few times (a geometric distribution with mean 10)."""
    rng = np.random.default_rng(seed)
    skills = len(parameters.prior)
    lengths = np.minimum(rng.geometric(0.1, min(count, learners * skills)), 60)
    lengths = lengths[: int(np.searchsorted(np.cumsum(lengths), count)) + 1]
    lengths[-1] -= max(0, int(lengths.sum()) - count)
    pairs = rng.permutation(learners * skills)[: len(lengths)]
    order = np.argsort(pairs % learners, kind="stable")
    lengths, pairs = lengths[order], pairs[order]
    learner, skill = pairs % learners, pairs // learners
    known = rng.random(len(pairs)) < parameters.prior[skill]
    correct = np.zeros(int(lengths.sum()), dtype=np.bool_)
    begins = np.cumsum(lengths) - lengths
    for step in range(int(lengths.max())):
        going = np.flatnonzero(lengths > step)
        of = skill[going]
        right = np.where(known[going], 1 - parameters.slip[of], parameters.guess[of])
        correct[begins[going] + step] = rng.random(len(going)) < right
        stays = np.where(known[going], 1 - parameters.forget[of], parameters.learn[of])
        known[going] = rng.random(len(going)) < stays
    return SimulatedResponses(lengths, learner, skill, correct)
