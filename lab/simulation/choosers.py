"""The policies that can be simulated: production policies, and three that they are measured against."""

from dataclasses import dataclass, replace

import numpy as np

from domain.scheduler.decide import Asked, decide_together
from domain.scheduler.model import DecisionRequest
from domain.scheduler.policy import Policy
from lab.simulation.chance import Floats, Integers, Luck, uniform
from lab.simulation.cohort import Step


@dataclass(frozen=True, slots=True)
class Production:
    """The production decision code with a policy."""

    policy: Policy
    name: str
    needs_states: bool = True

    def choose(self, step: Step) -> tuple[Integers, Floats]:
        pool, policy = step.world.pool, replace(self.policy, recorded=1)  # nobody reads the records
        asked = [
            Asked(DecisionRequest(f"{step.seed}-{learner}-{step.number}", f"learner-{learner}", step.course, 1), state, now)
            for learner, state, now in zip(step.ids.tolist(), step.states, step.now, strict=True)
        ]
        choices = [each.choices[0] for each in decide_together(pool, step.difficulties, policy, asked)]
        place = {item: n for n, item in enumerate(pool.items)}
        return np.array([place[each.item] for each in choices], np.intp), np.array([each.propensity for each in choices])


@dataclass(frozen=True, slots=True)
class Uniform:
    """Any open item, each as likely: prerequisites must be met as the platform believes, and nothing else counts."""

    met_mean: float
    name: str = "random"
    needs_states: bool = False

    def choose(self, step: Step) -> tuple[Integers, Floats]:
        pool = step.world.pool
        locked = np.zeros((len(step.ids), len(pool.group_sizes)), dtype=np.bool_)
        missing = step.means < self.met_mean
        for group, skill in zip(pool.lock_groups.tolist(), pool.lock_skills.tolist(), strict=True):
            locked[:, group] |= missing[:, skill]
        is_open = ~locked[:, pool.item_groups]
        count = is_open.sum(axis=1)
        rank = (uniform(step.seed, Luck.PICK, step.ids, step.number) * count).astype(np.intp)
        items = (is_open.cumsum(axis=1) > rank[:, None]).argmax(axis=1)
        return items, 1.0 / count


@dataclass(frozen=True, slots=True)
class InOrder:
    """The course from its first item to its last, and again from the first."""

    name: str = "fixed"
    needs_states: bool = False

    def choose(self, step: Step) -> tuple[Integers, Floats]:
        item = step.world.order[step.number % len(step.world.order)]
        return np.full(len(step.ids), item), np.ones(len(step.ids))


@dataclass(frozen=True, slots=True)
class Oracle:
    """Sees the truth and takes the item that adds most to the mastery expected at the exam. It looks one step ahead, so it is a strong
    reference and not a proven optimum."""

    name: str = "oracle"
    needs_states: bool = False

    def choose(self, step: Step) -> tuple[Integers, Floats]:
        return step.truth.gains(step.days_left).argmax(axis=1), np.ones(len(step.ids))
