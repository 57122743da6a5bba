"""Response models that score a row of features: all of them but the scoring is the same."""

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np

from domain.inference.features import PARTS, Learner
from domain.inference.history import NEWEST, History
from domain.inference.item_table import ItemTable
from domain.inference.response_model import Candidate, Explanation, Factor, Floats, ResponseModel, shapley
from domain.inference.words import fact

SUREST: Final = 15.0
"""Log-odds beyond which nothing is said: P(correct) stays inside (0, 1)."""


class Scorer(Protocol):
    """What a kind of model makes of features."""

    def __call__(self, features: Floats) -> Floats:
        """Returns log-odds (n,) of rows (n, len(FEATURES))."""


class FeatureModel(ResponseModel):
    """Features of the newest answers, scored."""

    def __init__(self, kind: str, table: ItemTable, timed: bool, score: Scorer) -> None:
        self._kind = kind
        self.table: Final = table
        self.timed: Final = timed
        self.score: Final = score

    @property
    def kind(self) -> str:
        return self._kind

    def knows(self, item: str) -> bool:
        return item in self.table.items

    def predict(self, histories: Sequence[History], items: Sequence[Candidate], at: float | None) -> Floats:
        rows = []
        for history in histories:
            learner = Learner(self.table, self.timed, history[-NEWEST:])
            rows += [learner.known(each.item, each.skills, at).row() for each in items]
        return self._probabilities(rows).reshape(len(histories), len(items))

    def explain(self, history: History, item: Candidate, at: float | None) -> Explanation:
        known = Learner(self.table, self.timed, history[-NEWEST:]).known(item.item, item.skills, at)

        def values(subsets: Sequence[frozenset[str]]) -> Floats:
            return self._probabilities([known.without(set(PARTS) - each, self.table).row() for each in subsets])

        base, whole, effects = shapley(PARTS, values)
        factors = [Factor(part, fact(part, known), effect) for part, effect in zip(PARTS, effects, strict=True)]
        return Explanation(whole, base, tuple(sorted(factors, key=lambda each: -abs(each.effect))))

    def _probabilities(self, rows: Sequence[Sequence[float]]) -> Floats:
        if not rows:
            return np.empty(0)
        return probabilities(self.score(np.array(rows)))


def probabilities(log_odds: Floats) -> Floats:
    """Returns the probabilities of log-odds, inside (0, 1)."""
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -SUREST, SUREST))))
