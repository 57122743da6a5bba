"""A goal by a date: what it asks of each skill, and which skills can still get there.

Learning is projected as in Bayesian knowledge tracing without answers: each item of a skill brings it a share `rate` of the way that is
left, m' = m + (1 - m) rate. Nobody knows a learner's rate beforehand, so eight from the range of `docs/mastery.md` count alike; after n
items the share of the way that is left is the mean of (1 - rate)^n over them.
"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from domain.scheduler.model import Goal
from domain.scheduler.pool import Floats, Indexes, Pool
from domain.shared.errors import InvalidInput

RATES = 0.02 + (np.arange(8) + 0.5) / 8 * 0.28
MINUTES_PER_ITEM = 1.5
"""What an item is taken to cost where nobody says."""
REVIEW_SHARE = 0.2
"""The share of the minutes that goes into keeping what is mastered."""
_MOST_ITEMS = 400
LEFT = np.power.outer(1.0 - RATES, np.arange(_MOST_ITEMS + 1)).mean(axis=0)
"""The expected share of the way that is left after n items, n from 0 on."""
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class GoalView:
    """What a goal is worth per skill of the pool, in [0, 1]; `values` is None where there is no goal that still counts."""

    values: Floats | None
    passed: bool = False

    @classmethod
    def of(cls, pool: Pool, goal: Goal | None, means: Floats, now: datetime) -> "GoalView":
        """A skill of the goal counts 1 if the time left is enough for it and for all that need fewer items, the share of it that fits if
        it is not, and 0 if it is there already. Raises InvalidInput for a skill that the course does not have."""
        if goal is None:
            return cls(None)
        days = (goal.deadline - now).total_seconds() / _DAY
        if days <= 0.0:
            return cls(None, passed=True)
        wanted = wanted_skills(pool, goal)
        needed = items_needed(means[wanted], goal.target).astype(np.float64)
        order = np.argsort(needed, kind="stable")
        needed, wanted = needed[order], wanted[order]
        budget = days * goal.minutes_a_day / MINUTES_PER_ITEM * (1.0 - REVIEW_SHARE)
        before = needed.cumsum() - needed
        values = np.zeros(len(pool.skills))
        values[wanted] = np.where(needed > 0.0, np.clip((budget - before) / np.maximum(needed, 1.0), 0.0, 1.0), 0.0)
        return cls(values)


def wanted_skills(pool: Pool, goal: Goal) -> Indexes:
    """Returns the skills of a goal with all that they build on, as positions in the pool, in order.

    Raises InvalidInput for a skill that the course does not have.
    """
    if not goal.skills:
        return np.arange(len(pool.skills))
    number_of = {each.id: number for number, each in enumerate(pool.skills)}
    wanted: set[int] = set()
    for place, skill in enumerate(goal.skills):
        if skill not in number_of:
            raise InvalidInput.of(f"goal.skills[{place}]", f"must be a skill of the course {pool.course}")
        waiting = [number_of[skill]]
        while waiting:
            if (top := waiting.pop()) not in wanted:
                wanted.add(top)
                waiting.extend(pool.prerequisites[top])
    return np.array(sorted(wanted), dtype=np.intp)


def items_needed(means: Floats, target: float) -> Indexes:
    """Returns how many items of each skill are expected to bring its mastery to the target, 0 if it is there, at most 400."""
    left = (1.0 - target) / np.maximum(1.0 - means, 1e-9)
    # LEFT falls from 1; the first n at which it is no greater than what may be left.
    return np.minimum(np.searchsorted(-LEFT, -np.minimum(left, 1.0), "left"), _MOST_ITEMS)
