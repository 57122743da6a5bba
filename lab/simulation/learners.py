"""Simulated learners: what they truly know, how it grows, how it fades, and how they answer.

A family is an account of learning. All families share this much. An item is answered from knowledge if every skill of it is carried
(a noisy AND), P(right) = guess + (1 - guess - slip) * product of what each skill carries, and a skill whose prerequisites are
missing is learnt at a fraction of its pace. Beside the truth each family keeps the ideal belief: P(mastered) as somebody would have it
who knows every parameter of the learner and sees the answers only. That is what the platform's intervals should cover.

Shapes: N learners, S skills, I items, M skills an item at most.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lab.simulation.chance import Floats, Integers, Luck, uniform
from lab.simulation.world import World

HINDERED = 0.3
"""The share of its pace at which a skill is learnt while one of its prerequisites is missing."""

MASTERED = 0.8
"""From this degree on a skill counts as mastered, where mastery is graded."""

Flags = NDArray[np.bool_]


class Learners(Protocol):
    """A group of learners of one family, or of several."""

    @property
    def degree(self) -> Floats:
        """The true mastery (N, S): the chance to carry an item of middle difficulty; 0 or 1 where mastery is all or nothing."""
        ...

    @property
    def belief(self) -> Floats:
        """The degree (N, S) that the ideal observer expects."""
        ...

    def chances(self, items: Integers) -> Floats:
        """P(right) of each learner's item (N,), or of several items each (N, k)."""
        ...

    def gains(self, days_left: Floats) -> Floats:
        """How much practising each item now (N, I) would add to the expected mastery after `days_left` (N,)."""
        ...

    def answer(self, items: Integers, right: Flags) -> None:
        """Each learner has answered one item (N,), rightly or not, and practised its skills by that."""
        ...

    def rest(self, days: Floats) -> None:
        """Time passes without practice, for each learner (N,) as long as it says."""
        ...


class Family:
    """What the families share. `ids` number the learners, whose luck and parameters follow from them and the seed alone."""

    def __init__(self, world: World, ids: Integers, seed: int) -> None:
        self.world = world
        self.ids = ids
        self.seed = seed
        self.rows = np.arange(len(ids))
        self.practices = np.zeros((len(ids), len(world.before)), dtype=np.intp)
        self.rests = 0
        self._has = world.item_skills >= 0

    @property
    def degree(self) -> Floats:
        raise NotImplementedError

    def chances(self, items: Integers) -> Floats:
        at = items.reshape(len(self.ids), -1)
        skills, has = self.world.item_skills[at], self._has[at]
        rows = self.rows[:, None, None]
        carried = np.where(has, self.carried(rows, skills, at[..., None]), 1.0).prod(axis=-1)
        guess, show = self.margins(rows, skills, has)
        return np.asarray(guess + show * carried).reshape(items.shape)

    def answer(self, items: Integers, right: Flags) -> None:
        skills, has = self.world.item_skills[items], self._has[items]
        rows = np.broadcast_to(self.rows[:, None], skills.shape)
        expected = np.where(has, self.expected(rows, skills, items[:, None]), 1.0)
        others = expected.prod(axis=1, keepdims=True) / np.maximum(expected, 1e-12)
        guess, show = self.margins(rows, skills, has)
        flat_rows, flat_skills = rows[has], skills[has]
        flat_items = np.broadcast_to(items[:, None], skills.shape)[has]
        spread = np.broadcast_to(right[:, None], skills.shape)[has]
        self.observe(
            flat_rows,
            flat_skills,
            flat_items,
            spread,
            np.broadcast_to(guess[:, None], skills.shape)[has],
            (show[:, None] * others)[has],
        )
        self.practise(flat_rows, flat_skills, flat_items)
        self.practices[flat_rows, flat_skills] += 1

    def hindrance(self, rows: Integers, skills: Integers) -> Floats:
        """The share of their pace at which skills are learnt: from HINDERED to 1 with the degree of the weakest prerequisite."""
        weakest = np.where(self.world.before[skills], self.degree[rows], 1.0).min(axis=-1)
        return np.asarray(HINDERED + (1.0 - HINDERED) * weakest)

    def hindrances(self) -> Floats:
        """The same for all learners and skills (N, S)."""
        weakest = np.ones_like(self.degree)
        for skill, before in enumerate(self.world.before):
            if before.any():
                weakest[:, skill] = self.degree[:, before].min(axis=1)
        return np.asarray(HINDERED + (1.0 - HINDERED) * weakest)

    def luck(self, luck: Luck, rows: Integers, skills: Integers, count: Integers | int) -> Floats:
        return uniform(self.seed, luck, self.ids[rows], skills, count)

    def per_item(self, per_skill: Floats) -> Floats:
        """Sums what (N, S) holds over the skills of each item: (N, I)."""
        total = np.zeros((len(self.ids), len(self._has)))
        for slot in range(self._has.shape[1]):
            total += np.where(self._has[:, slot], per_skill[:, self.world.item_skills[:, slot]], 0.0)
        return total

    # What a family says of itself; each gets learners' rows, skills and items as integers of one shape.
    def carried(self, rows: Integers, skills: Integers, items: Integers) -> Floats:
        """Returns what each skill truly carries, in [0, 1]."""
        raise NotImplementedError

    def expected(self, rows: Integers, skills: Integers, items: Integers) -> Floats:
        """Returns what the ideal observer expects each skill to carry."""
        raise NotImplementedError

    def margins(self, rows: Integers, skills: Integers, has: Flags) -> tuple[Floats, Floats]:
        """Returns guess, and 1 - guess - slip, over the last axis of skills."""
        raise NotImplementedError

    def observe(self, rows: Integers, skills: Integers, items: Integers, right: Flags, guess: Floats, show: Floats) -> None:
        """The ideal observer sees answers whose P(right) is guess + show * what the skill carries."""
        raise NotImplementedError

    def practise(self, rows: Integers, skills: Integers, items: Integers) -> None:
        """Practice changes truth and belief."""
        raise NotImplementedError


def parameters(ids: Integers, seed: int, family: int, rows: int, columns: int) -> Floats:
    """Returns uniform numbers of shape (rows, N, columns), each learner's a function of seed and id alone."""
    drawn = np.stack([np.random.default_rng([seed, family, int(each)]).random((rows, columns)) for each in ids], axis=1)
    return np.asarray(drawn)


def between(low: float, high: float, share: Floats) -> Floats:
    return np.asarray(low + (high - low) * share)
