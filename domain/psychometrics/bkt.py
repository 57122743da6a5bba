"""Bayesian knowledge tracing with unknown parameters: P(mastered) of a skill, and an honest interval around it.

The model is Corbett and Anderson's (1995, "Knowledge tracing: modeling the acquisition of procedural knowledge"): a skill is mastered
or not; it is mastered at the start with probability `prior`, is learnt at each attempt with `learn`, and shows through `guess`
(right though not mastered) and `slip` (wrong though mastered). Nobody knows these four for a new skill and a new learner, so a
learner's state is a small ensemble: 32 parameter sets spread evenly over the plausible ranges, each with its own P(mastered) and the
posterior weight that the learner's answers so far give it, kept as one joint distribution. The reported mean is the ensemble's, that is
P(mastered) with the parameters integrated out; the 90 % interval runs from the 5 % to the 95 % point of P(mastered) over the parameter
sets. It is wide before the first answer and narrows as answers tell.

An item with several skills is conjunctive, a noisy AND: whoever misses one of its skills can only guess. Given the others' means, each
skill's posterior is exact, so a wrong answer is charged to the skills that are least likely mastered and a right one is credited to all
(Koedinger, Pavlik, Stamper, Nixon and Ritter 2011, "Avoiding problem selection thrashing with conjunctive knowledge tracing").
Since every skill also gets its chance of having been learnt, practising such items alone leads to mastery.

Partial credit is Jeffrey's rule: the posterior after a score of 0.3 is 0.3 of that after a right and 0.7 of that after a wrong answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

State: TypeAlias = NDArray[np.float32]
"""Shape (2, 32): the joint probability of each parameter set and of the skill being mastered (row 0) or not (row 1); sums to 1.
Never changed in place."""

VERSION: Final = "bkt-1"
_SETS: Final = 32
_CERTAIN: Final = 0.999
_LEAST: Final = 1e-8


@dataclass(frozen=True, slots=True)
class Parameters:
    """Probabilities, each of shape (number of sets,)."""

    prior: State
    learn: State
    guess: State
    slip: State


@dataclass(frozen=True, slots=True)
class Estimate:
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
    joint = np.array(states)
    right_if = _RIGHT_ALONE if len(states) == 1 else _GUESS + _SHOW * _others(joint)
    right = (joint * right_if).sum(axis=(1, 2), keepdims=True)
    credit, blame = score / right, (1 - score) / (1 - right)
    joint *= blame + (credit - blame) * right_if
    known, unknown = joint[:, 0], joint[:, 1]
    learnt = unknown * PARAMETERS.learn
    known += learnt
    unknown -= learnt
    # A skill never becomes so certain, nor a parameter set so unlikely, that later answers could not change it.
    np.maximum(unknown, known * (1 / _CERTAIN - 1), out=unknown)
    np.maximum(joint, _LEAST, out=joint)
    joint /= joint.sum(axis=(1, 2), keepdims=True)
    return list(joint)


def _others(joint: NDArray[np.float32]) -> NDArray[np.float32]:
    """P(every other skill of the item is mastered), for each of its skills."""
    means = joint[:, :1].sum(axis=2, keepdims=True)
    return np.asarray(means.prod() / means)


def estimate(state: State) -> Estimate:
    """Returns P(mastered) and its 90 % interval.

    The ends are quantiles of the ensemble: each parameter set stands at the middle of its share of the weight.
    """
    weight = state[0] + state[1]
    known = state[0] / weight
    mean = min(float(state[0].sum()), _CERTAIN)
    order = known.argsort()
    ranked, share = known[order], weight[order]
    lower, upper = np.interp((0.05, 0.95), share.cumsum() - share / 2, ranked).tolist()
    return Estimate(mean, min(lower, mean), max(upper, mean))
