"""Bayesian knowledge tracing with unknown parameters: P(mastered) of a skill, and an honest interval around it.

The model is Corbett and Anderson's (1995, "Knowledge tracing: modeling the acquisition of procedural knowledge"): a skill is mastered
or not; it is mastered at the start with probability `prior`, is learnt at each attempt with `learn`, and shows through `guess`
(right though not mastered) and `slip` (wrong though mastered). Here it is also lost with `forget` (Khajah, Lindsey and Mozer 2016, "How
deep is knowledge tracing?"): seldom, but so that no row of right answers makes certain. Nobody knows these five for a new skill and a new
learner, so a learner's state is a small ensemble: 32 parameter sets spread evenly over the plausible ranges, each with its own
P(mastered) and the posterior weight that the learner's answers so far give it, kept as one joint distribution. The reported mean is the
ensemble's, that is P(mastered) with the parameters integrated out; the 90 % interval runs from the 5 % to the 95 % point of P(mastered)
over the parameter sets. It is wide before the first answer and narrows as answers tell.

An item with several skills is conjunctive, a noisy AND: whoever misses one of its skills can only guess. Given the others' means, each
skill's posterior is exact, so a wrong answer is charged to the skills that are least likely mastered and a right one is credited to all
(Koedinger, Pavlik, Stamper, Nixon and Ritter 2011, "Avoiding problem selection thrashing with conjunctive knowledge tracing").
Since every skill also gets its chance of having been learnt, practising such items alone leads to mastery.

Partial credit is Jeffrey's rule: the posterior after a score of 0.3 is 0.3 of that after a right and 0.7 of that after a wrong answer.

Answers that do not touch the same learner's skill are independent, so a batch of them is one pass of numpy: alone an answer costs some
20 numpy calls, among hundreds their share of it.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

State: TypeAlias = NDArray[np.float32]
"""Shape (2, 32): the joint probability of each parameter set and of the skill being mastered (row 0) or not (row 1); sums to 1.
Never changed in place."""

VERSION: Final = "bkt-2"
_SETS: Final = 32
_LEAST: Final = np.float32(1e-8)
_HALF: Final = np.float32(0.5)
_ENDS: Final = np.array([[0.05], [0.95]], dtype=np.float32)


class Parameters(NamedTuple):
    """Probabilities, each of shape (number of sets,)."""

    prior: State
    learn: State
    guess: State
    slip: State
    forget: State


class Estimate(NamedTuple):
    """P(mastered) with its 90 % interval; 0 <= lower <= mean <= upper <= 1."""

    mean: float
    lower: float
    upper: float


def _halton(count: int, base: int) -> NDArray[np.float64]:
    """The first terms of the van der Corput sequence to a prime base; several bases together fill a cube evenly (Halton 1960)."""
    values = np.zeros(count)
    for index in range(count):
        rest, share = index + 1, 1.0
        while rest:
            share /= base
            rest, digit = divmod(rest, base)
            values[index] += digit * share
    return values


def _spread(base: int, low: float, high: float) -> State:
    return np.asarray(low + (high - low) * _halton(_SETS, base), dtype=np.float32)


# Ranges: guess and slip stay where mastery means something (Baker, Corbett and Aleven 2008 call more than 0.5 degenerate).
PARAMETERS: Final = Parameters(
    prior=_spread(2, 0.05, 0.75),
    learn=_spread(3, 0.02, 0.3),
    guess=_spread(5, 0.05, 0.35),
    slip=_spread(7, 0.02, 0.2),
    forget=_spread(11, 0.001, 0.01),
)
_NEW: Final[State] = np.asarray(np.stack([PARAMETERS.prior, 1 - PARAMETERS.prior]) / _SETS, dtype=np.float32)
# P(right) by parameter set for who has mastered the skill and who has not: if all other skills of the item are mastered, it is the sum.
_GUESS: Final[State] = np.stack([PARAMETERS.guess, PARAMETERS.guess])
_SHOW: Final[State] = np.stack([1 - PARAMETERS.slip - PARAMETERS.guess, np.zeros(_SETS, dtype=np.float32)])
_RIGHT_ALONE: Final[State] = _GUESS + _SHOW


def new_skill() -> State:
    """Returns the state before the first answer."""
    return _NEW


def observe(states: Sequence[State], score: float) -> list[State]:
    """Returns the states of all skills of one item after an answer to it.

    `score` is the share of the full score, in [0, 1]. The order of the skills does not matter. Takes the same time however many
    answers came before.
    """
    return observe_each(states, [len(states)], [score])


def observe_each(states: Sequence[State], counts: Sequence[int], scores: Sequence[float]) -> list[State]:
    """Returns the states of the skills of several answers after them, none of which touches a skill that another touches.

    `states` are the first answer's, then the second's, and so on; `counts` says how many each answer has, `scores` how it was scored.
    The result of an answer does not depend on which others it comes with.
    """
    joint = np.array(states)
    score = np.array(scores, dtype=np.float32)
    right_if = _RIGHT_ALONE
    if len(states) > len(counts):
        score = score.repeat(counts)
        right_if = _GUESS + _SHOW * _others(joint, counts)
    right = _total(joint * right_if)
    credit, blame = _each(score) / right, _each(1 - score) / (1 - right)
    joint *= right_if * (credit - blame) + blame
    known, unknown = joint[:, 0], joint[:, 1]
    learnt = unknown * PARAMETERS.learn
    learnt -= known * PARAMETERS.forget
    known += learnt
    unknown -= learnt
    # No parameter set becomes so unlikely that later answers could not bring it back.
    np.maximum(joint, _LEAST, out=joint)
    joint /= _total(joint)
    return list(joint)


def _others(joint: State, counts: Sequence[int]) -> State:
    """P(every other skill of the answer's item is mastered), for each of its skills."""
    means = joint[:, 0].sum(axis=1)
    beginnings = np.cumsum([0, *counts[:-1]])
    return _each(np.multiply.reduceat(means, beginnings).repeat(counts) / means)


def _total(joint: State) -> State:
    return _each(joint.reshape(-1, 2 * _SETS).sum(axis=1))


def _each(values: State) -> State:
    """Shape (skills, 1, 1): one value for all of a skill's joint distribution."""
    return values[:, None, None]


def estimate(state: State) -> Estimate:
    """Returns P(mastered) and its 90 % interval."""
    return estimates([state])[0]


def estimates(states: Sequence[State]) -> list[Estimate]:
    """Returns P(mastered) of each and its 90 % interval.

    The ends are quantiles of the ensemble: each parameter set stands at the middle of its share of the weight.
    """
    joint = np.array(states)
    weight = joint[:, 0] + joint[:, 1]
    known = joint[:, 0] / weight
    row = np.arange(0, known.size, _SETS)[:, None]
    order = known.argsort(axis=1)
    order += row
    ranked, share = known.take(order), weight.take(order)
    middle = share.cumsum(axis=1)
    middle -= share * _HALF
    # Between the two sets that an end lies between, linearly; before the first set's middle or after the last one's, that set's value.
    high = np.minimum(np.maximum((middle[:, None] < _ENDS).sum(axis=2), 1), _SETS - 1)
    high += row
    low = high - 1
    start, first = middle.take(low), ranked.take(low)
    part = (_ENDS[:, 0] - start) / np.maximum(middle.take(high) - start, _LEAST)
    ends = first + np.minimum(np.maximum(part, 0), 1) * (ranked.take(high) - first)
    means = joint[:, 0].sum(axis=1)
    return [
        Estimate(mean, min(lower, mean), max(upper, mean))
        for mean, (lower, upper) in zip(means.tolist(), ends.tolist(), strict=True)
    ]
