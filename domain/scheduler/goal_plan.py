"""A projection of a learner's way to a goal: what is expected to be mastered by when, with an interval, and what to do each day.

The model of learning is that of `domain/scheduler/goal.py`. What is uncertain is the learner's rate of learning, one of eight for all
skills, and where the skills stand: all at the lower end of their intervals, at their means or at their upper ends. These are the scenarios
that an interval is taken over; as skills err together in each, it is rather too wide than too narrow.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush
from math import ceil
from typing import NamedTuple

import numpy as np

from domain.scheduler.goal import MINUTES_PER_ITEM, RATES, REVIEW_SHARE, items_needed, wanted_skills
from domain.scheduler.model import Goal
from domain.scheduler.policy import Policy
from domain.scheduler.pool import Floats, Indexes, Pool
from domain.scheduler.scoring import SkillView
from domain.scheduler.state import LearnerState
from domain.shared.errors import InvalidInput

MOST_DAYS = 366
ASSUMPTION = (
    "Projected, not promised: each item of a skill is taken to bring it between 4 and 28 hundredths of the way that is left to mastery, "
    "and a fifth of the time is set aside for reviews, which keep what was mastered."
)
_NEW_LOWER, _NEW_UPPER = 0.07, 0.70
"""The interval of a skill before its first attempt (docs/mastery.md)."""
_POSITION_WEIGHTS = np.array([0.2, 0.6, 0.2])
_SCENARIO_WEIGHTS = np.repeat(_POSITION_WEIGHTS, len(RATES)) / len(RATES)


class Projection(NamedTuple):
    """Expected P(mastered) with its 90 % interval."""

    mean: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class PlannedSkill:
    """`items_needed` are expected to reach the target, `items_planned` of them fit."""

    skill: str
    title: str
    now: Projection
    at_deadline: Projection
    items_needed: int
    items_planned: int


@dataclass(frozen=True, slots=True)
class PlannedDay:
    """`day` counts from 0, `practice` says how many items of which skill, `mastery` is the mean of the goal's skills afterwards."""

    day: int
    starts_at: datetime
    reviews: int
    practice: tuple[tuple[str, int], ...]
    mastery: Projection


@dataclass(frozen=True, slots=True)
class GoalPlan:
    goal: Goal
    now: Projection
    at_deadline: Projection
    minutes_a_day_needed: float
    days: tuple[PlannedDay, ...]
    skills: tuple[PlannedSkill, ...]

    @property
    def reachable(self) -> bool:
        """Whether every skill is expected to reach the target in time."""
        return all(each.items_planned >= each.items_needed for each in self.skills)


def plan(
    pool: Pool, state: LearnerState, policy: Policy, goal: Goal, now: datetime, minutes_per_item: float = MINUTES_PER_ITEM
) -> GoalPlan:
    """Returns the plan. Raises InvalidInput for a deadline that is not within the next 366 days or a skill that the course lacks."""
    days = (goal.deadline - now) / timedelta(days=1)
    if not 0.0 < days <= MOST_DAYS:
        raise InvalidInput.of("goal.deadline", f"must lie ahead, by at most {MOST_DAYS} days")
    wanted = wanted_skills(pool, goal)
    if not len(wanted):
        raise InvalidInput.of("course", f"has no skills to plan for: {pool.course}")
    skills = SkillView.of(pool, [state], policy)
    means = skills.means[0]
    order = _in_order(pool, wanted, items_needed(means, goal.target))
    needed = items_needed(means[order], goal.target)
    starts = _starts(skills, order)
    a_day = goal.minutes_a_day / minutes_per_item
    practised = np.zeros(len(order), dtype=np.intp)
    planned = tuple(_days(pool, order, needed, practised, starts, _reviews_due(pool, state, now, days), a_day, now, days))
    return GoalPlan(
        goal=Goal(goal.deadline, goal.minutes_a_day, goal.target, tuple(pool.skills[each].id for each in sorted(order.tolist()))),
        now=_over(starts, np.zeros(len(order), dtype=np.intp)),
        at_deadline=_over(starts, practised),
        minutes_a_day_needed=ceil(float(needed.sum()) * minutes_per_item / (1.0 - REVIEW_SHARE) / days * 10.0) / 10.0,
        days=planned,
        skills=tuple(
            PlannedSkill(
                skill=pool.skills[skill].id,
                title=pool.skills[skill].title,
                now=_over(starts[:, place, None], np.zeros(1, dtype=np.intp)),
                at_deadline=_over(starts[:, place, None], practised[place, None]),
                items_needed=int(needed[place]),
                items_planned=int(practised[place]),
            )
            for place, skill in enumerate(order.tolist())
        ),
    )


def _days(
    pool: Pool,
    order: Indexes,
    needed: Indexes,
    practised: Indexes,
    starts: Floats,
    reviews_due: Indexes,
    a_day: float,
    now: datetime,
    days: float,
) -> Iterator[PlannedDay]:
    """Yields the days with something to do, counting into `practised` as they go. What does not fill an item is carried to the next day."""
    reviewed = done = place = 0
    for day in range(ceil(days)):
        until = min(day + 1.0, days)
        reviews = min(int(reviews_due[: day + 1].sum()), int(until * a_day * REVIEW_SHARE + 1e-9)) - reviewed
        room = int(until * a_day * (1.0 - REVIEW_SHARE) + 1e-9) - done
        practice = []
        while room and place < len(order):
            if some := min(room, int(needed[place] - practised[place])):
                practice.append((pool.skills[order[place]].id, some))
                practised[place] += some
                room -= some
                done += some
            else:
                place += 1
        reviewed += reviews
        if reviews or practice:
            yield PlannedDay(day, now + timedelta(days=day), reviews, tuple(practice), _over(starts, practised))


def _in_order(pool: Pool, wanted: Indexes, needed: Indexes) -> Indexes:
    """Returns the skills so that each comes after all that it builds on, and else those first that need the fewest items."""
    own = wanted.tolist()  # with all that they build on
    waiting = {skill: len(set(pool.prerequisites[skill])) for skill in own}
    after: dict[int, list[int]] = {skill: [] for skill in own}
    for skill in own:
        for before in set(pool.prerequisites[skill]):
            after[before].append(skill)
    ready = [(int(needed[skill]), skill) for skill in own if not waiting[skill]]
    heapify(ready)
    order = []
    while ready:
        _, skill = heappop(ready)
        order.append(skill)
        for following in after[skill]:
            waiting[following] -= 1
            if not waiting[following]:
                heappush(ready, (int(needed[following]), following))
    return np.array(order, dtype=np.intp)


def _starts(skills: SkillView, order: Indexes) -> Floats:
    """Returns the lower end, the mean and the upper end of each skill's interval (3, skills), of the view's only learner."""
    known = skills.rows[0, order] >= 0
    rows = skills.rows[0, order][known]
    means = skills.means[0, order]
    lower, upper = np.minimum(means, _NEW_LOWER), np.maximum(means, _NEW_UPPER)
    lower[known] = np.minimum(means[known], skills.told["lower"][rows])
    upper[known] = np.maximum(means[known], skills.told["upper"][rows])
    return np.stack([lower, means, upper])


def _over(starts: Floats, practised: Indexes) -> Projection:
    """Returns the mean mastery of skills (3, skills) after some items of each, over the scenarios."""
    left = np.power.outer(1.0 - RATES, practised)
    mastery = (1.0 - (1.0 - starts)[:, None, :] * left[None, :, :]).mean(axis=2)
    mean = float(mastery[1].mean())
    values = mastery.ravel()
    order = np.argsort(values, kind="stable")
    reached = _SCENARIO_WEIGHTS[order].cumsum()
    lower, upper = (float(values[order][np.searchsorted(reached, point)]) for point in (0.05 - 1e-9, 0.95 - 1e-9))
    return Projection(mean, min(lower, mean), max(upper, mean))


def _reviews_due(pool: Pool, state: LearnerState, now: datetime, days: float) -> Indexes:
    """Returns how many answered items fall due for review on each day; those overdue fall on the first."""
    rows, _ = pool.item_index.find(state.items["key"])
    day = np.floor(np.maximum(state.items["due_at"][rows] - now.timestamp(), 0.0) / 86_400.0)
    return np.bincount(day[day < ceil(days)].astype(np.intp), minlength=ceil(days))
