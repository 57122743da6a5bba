"""The port of response models: P(correct) of the next answer from item, skills and the learner's newest answers, and what moved it."""

from collections.abc import Callable, Sequence
from itertools import combinations
from math import comb
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from domain.inference.history import History

Floats: TypeAlias = NDArray[np.float64]


class Candidate(NamedTuple):
    """An item whose answer is to be predicted; without skills, those it had in training."""

    item: str
    skills: tuple[str, ...] = ()


class Factor(NamedTuple):
    """A part of what is known, in plain words, and what knowing it adds to P(correct)."""

    name: str
    fact: str
    effect: float


class Explanation(NamedTuple):
    """`base` is P(correct) if nothing were known; base and effects sum to `probability`. The factor with the greatest effect comes first."""

    probability: float
    base: float
    factors: tuple[Factor, ...]

    def text(self) -> str:
        """Returns it in sentences. Effects below half a point are told together."""
        told = [each for each in self.factors if abs(each.effect) >= 0.005]
        sentences = [f"The answer is expected to be right with {self.probability:.0%}."]
        sentences += [f"{each.fact}: {abs(each.effect) * 100:.0f} points {'up' if each.effect > 0 else 'down'}." for each in told]
        sentences.append(f"Of a new learner and an item that nobody has answered, {self.base:.0%} would be expected.")
        if len(told) < len(self.factors):
            sentences.append("What else is known changes it by less than a point.")
        return " ".join(sentences)


class ResponseModel(Protocol):
    """A trained model. The same question gets the same answer, to the last digit."""

    @property
    def kind(self) -> str: ...

    def knows(self, item: str) -> bool:
        """Whether it was trained on answers to the item."""

    def predict(self, histories: Sequence[History], items: Sequence[Candidate], at: float | None) -> Floats:
        """Returns P(correct) in (0, 1), (learners, items), of answers at a time in seconds since 1970; learners do not affect each other."""

    def explain(self, history: History, item: Candidate, at: float | None) -> Explanation:
        """Returns what moved the prediction."""


def shapley(parts: Sequence[str], values: Callable[[Sequence[frozenset[str]]], Floats]) -> tuple[float, float, list[float]]:
    """Returns the value without and with all parts, and what each part adds: the mean over every order in which they could be added
    (Shapley 1953), by all subsets, as there are few parts. `values` gives the value with each of several subsets.

    The values of the parts sum to the difference of the two.
    """
    subsets = [frozenset(each) for size in range(len(parts) + 1) for each in combinations(parts, size)]
    value = dict(zip(subsets, values(subsets).tolist(), strict=True))
    count = len(parts)
    added = [
        sum(
            (value[subset | {part}] - value[subset]) / (count * comb(count - 1, len(subset)))
            for subset in subsets
            if part not in subset
        )
        for part in parts
    ]
    return value[frozenset()], value[frozenset(parts)], added
