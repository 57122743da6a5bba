"""The item difficulties of a course as decisions use them: a chain of epochs, so that a record needs only a number to name them.

What is known of an item's difficulty moves with every answer. A decision uses a new value only when it differs by `MOVED` logits or more,
at most a hundredth of a chance: so an item changes a few dozen times in its life, and all epochs together stay small.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from domain.scheduler.decide import Difficulties
from domain.scheduler.pool import Pool

MOVED = 0.05
"""Logits; they change P(correct) by 0.0125 at most."""


@dataclass(frozen=True, slots=True)
class DifficultyEpoch:
    """The values that changed from one epoch to the next, in logits by item; all that were known if it is complete."""

    number: int
    values: Mapping[str, float]
    complete: bool = False


@dataclass(frozen=True, slots=True)
class DifficultyChain:
    """The values of the newest epoch known; `since_complete` counts the changes kept since everything was."""

    number: int = 0
    values: Mapping[str, float] = field(default_factory=dict)
    since_complete: int = 0

    def after(self, epochs: Iterable[DifficultyEpoch]) -> "DifficultyChain":
        """Returns the chain with these epochs, given in order, in it."""
        chain = self
        for epoch in epochs:
            if epoch.complete:
                chain = DifficultyChain(epoch.number, dict(epoch.values))
            else:
                values = {**chain.values, **epoch.values}
                chain = DifficultyChain(epoch.number, values, chain.since_complete + len(epoch.values))
        return chain

    def following(self, known: Mapping[str, float]) -> DifficultyEpoch | None:
        """Returns the next epoch, given what is known of items now; None if too little has moved."""
        unset = float("inf")
        moved = {item: value for item, value in known.items() if abs(value - self.values.get(item, unset)) >= MOVED}
        if not moved:
            return None
        # Whoever begins reads back to the last complete one: when the changes weigh as much as everything, everything is kept again.
        complete = self.since_complete + len(moved) >= len(self.values)
        return DifficultyEpoch(self.number + 1, {**self.values, **moved} if complete else moved, complete)

    def of(self, pool: Pool) -> Difficulties:
        values = np.array([self.values.get(item, np.nan) for item in pool.items], dtype=np.float64)
        return Difficulties(np.nan_to_num(values), ~np.isnan(values), self.number)
