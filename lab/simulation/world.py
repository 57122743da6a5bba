"""What is true of a course's items, as arrays in the order of the pool that decisions are made from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.scheduler.model import Publication
from domain.scheduler.pool import Pool, compiled
from lab.simulation.chance import Floats, Integers


@dataclass(frozen=True, slots=True)
class World:
    """I items, S skills, at most M skills an item.

    - `item_skills` (I, M): the skills of each item, -1 where it has fewer.
    - `before` (S, S): whether the column's skill is a direct prerequisite of the row's.
    - `order` (I,): the items as the course teaches them.
    - `difficulty`, `slope` (I,): logits, and the slope of the answer curve, for families that have such.
    """

    course: Publication
    pool: Pool
    item_skills: Integers
    before: NDArray[np.bool_]
    order: Integers
    difficulty: Floats
    slope: Floats

    @classmethod
    def of(cls, course: Publication, seed: int) -> "World":
        """Draws the items' parameters: difficulties spread by 0.7 logits, slopes by a fifth."""
        pool = compiled(course)
        place = {item: n for n, item in enumerate(pool.items)}
        number = {skill.id: n for n, skill in enumerate(pool.skills)}
        item_skills = np.full((len(pool.items), max(pool.group_lengths, default=1)), -1, dtype=np.intp)
        for item in range(len(pool.items)):
            item_skills[item, : len(pool.skills_of(item))] = pool.skills_of(item)
        before = np.zeros((len(pool.skills), len(pool.skills)), dtype=np.bool_)
        for skill in pool.skills:
            before[number[skill.id], [number[each] for each in skill.prerequisites if each in number]] = True
        chance = np.random.default_rng([seed, 0])
        return cls(
            course=course,
            pool=pool,
            item_skills=item_skills,
            before=before,
            order=np.array([place[each.id] for each in course.items], dtype=np.intp),
            difficulty=chance.normal(0.0, 0.7, len(pool.items)),
            slope=np.exp(chance.normal(0.0, 0.2, len(pool.items))),
        )
