"""Bayesian knowledge tracing with known parameters: P(mastered) of one skill, answer by answer.

A skill is mastered or not; it is mastered at the start with probability `prior`, learnt after each answer with `learn`, and shows through
`guess` (right though not mastered) and `slip` (wrong though mastered) (Corbett and Anderson 1995, "Knowledge tracing: modeling the
acquisition of procedural knowledge"); with `forget` above 0 it is also lost after an answer (Khajah, Lindsey and Mozer 2016). `bkt` is
the model for parameters that nobody knows; this one is for those that `bkt_fit` found in a log.
"""

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]


class Parameters(NamedTuple):
    """Probabilities of one skill."""

    prior: float
    learn: float
    guess: float
    slip: float
    forget: float = 0.0


class SkillParameters(NamedTuple):
    """Probabilities of many skills, each of shape (skills,)."""

    prior: Floats
    learn: Floats
    guess: Floats
    slip: Floats
    forget: Floats

    def of(self, skill: int) -> Parameters:
        return Parameters(*(float(each[skill]) for each in self))


def checked(parameters: Parameters) -> Parameters:
    """Returns the parameters. Raises ValueError unless all are probabilities and guess + slip is below 1: otherwise whoever has mastered
    the skill would be right no more often than whoever has not."""
    for name, value in parameters._asdict().items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must be a probability, not {value}")
    if parameters.guess + parameters.slip >= 1:
        raise ValueError(f"guess and slip must add up to less than 1, not {parameters.guess} and {parameters.slip}")
    return parameters


def predicted(parameters: Parameters, mastery: float) -> float:
    """Returns P(right answer) at this P(mastered)."""
    return parameters.guess + (1 - parameters.slip - parameters.guess) * mastery


def observe(parameters: Parameters, mastery: float, correct: bool) -> float:
    """Returns P(mastered) after an answer and the chance to learn (and to forget) that comes with it."""
    _, learn, guess, slip, forget = parameters
    known, unknown = (1 - slip, guess) if correct else (slip, 1 - guess)
    shown = mastery * known
    total = shown + (1 - mastery) * unknown
    # An answer that the parameters call impossible says nothing.
    after = shown / total if total > 0 else mastery
    return after * (1 - forget - learn) + learn
