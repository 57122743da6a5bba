"""What holds items back, and in which order it gives way.

Every answered item has a level: 0 is free, -1 is held for good, and the others say which constraint holds it that gives way last. So each
item counts under one constraint, and the stages of a decision are the levels.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from domain.scheduler.model import Mode
from domain.scheduler.policy import Balance, Policy
from domain.scheduler.pool import Flags, Floats, Indexes, Pool
from domain.scheduler.reasons import until
from domain.scheduler.scoring import History, SkillView, open_groups
from domain.scheduler.state import LearnerState

RELAXED = ("balance", "settled", "exposure", "recency")
"""The constraints that give way when the free items run out, in this order."""
_BALANCE, _SETTLED, _EXPOSURE, _RECENCY = range(1, len(RELAXED) + 1)
_FREE, _NEVER = 0, -1

NO_ITEMS = "This course has no items yet."
NOTHING_ANSWERED = "Nothing was answered in this course yet, so there is nothing to review."
ALL_ANSWERED = "Every item of this course has been answered already, and an exam repeats none."


class Stage(NamedTuple):
    """Candidates that are drawn from together. `relaxed` is the constraint that gave way for them."""

    relaxed: str
    size: int
    only: Indexes | None
    without: Indexes | None = None

    def of(self, totals: Floats) -> Floats:
        """Returns the scores of all items, -inf for those that are not in the stage."""
        if self.only is None:
            scores = totals.copy()
            scores[self.without] = -np.inf
            return scores
        scores = np.full(len(totals), -np.inf)
        scores[self.only] = totals[self.only]
        return scores


class Constraints(NamedTuple):
    """What is held back in one decision. `open_groups` is None where prerequisites do not count; `levels` are those of the answered items,
    `heavy` the groups of skills that had more than their share. `held` says how many items each constraint holds."""

    pool: Pool
    history: History
    open_groups: Flags | None
    levels: np.ndarray[tuple[int], np.dtype[np.int8]]
    heavy: Flags | None
    held: tuple[tuple[str, int], ...]
    free: int
    empty_reason: str = ""

    @classmethod
    def of(
        cls, mode: Mode, pool: Pool, skills: SkillView, history: History, state: LearnerState, policy: Policy, now: float
    ) -> "Constraints":
        levels = np.zeros(len(history.at), dtype=np.int8)
        if mode is Mode.REVIEW:
            return cls._of_review(pool, history, state, policy, now, levels)
        if mode is Mode.EXAM:
            levels[:] = _NEVER
            free = len(pool.items) - len(levels)
            return cls(
                pool, history, None, levels, None, _counted(("repetition", len(levels))), free, "" if free else ALL_ANSWERED
            )
        is_open, heavy, closed = None, None, 0
        if mode is Mode.PRACTICE:
            is_open = open_groups(pool, skills, policy)
            closed = len(pool.items) - int(pool.group_sizes[is_open].sum())
            heavy = heavy_groups(pool, state, policy.balance, is_open) if policy.balance.active else None
        settled = history.due_at > now
        settled &= state.items["passed"][history.rows] == 1
        levels[settled] = _SETTLED
        most = max(policy.exposure_floor, state.sequence * policy.exposure_share)
        if most <= state.sequence:
            levels[state.items["attempts"][history.rows] >= most] = _EXPOSURE
        levels[lately(pool, history, state, policy, len(pool.items) - closed)] = _RECENCY
        if is_open is not None and closed:
            levels[~is_open[pool.item_groups[history.at]]] = _NEVER
        of_levels = levels.tobytes()
        held = [of_levels.count(level) for level in range(1, len(RELAXED) + 1)]
        if heavy is not None:
            otherwise_held = np.count_nonzero(heavy[pool.item_groups[history.at]] & (levels != _FREE))
            held[0] = int(pool.group_sizes[heavy].sum()) - int(otherwise_held)
        counts = _counted(("prerequisites", closed), *zip(RELAXED, held, strict=True))
        return cls(pool, history, is_open, levels, heavy, counts, len(pool.items) - closed - sum(held))

    @classmethod
    def _of_review(
        cls,
        pool: Pool,
        history: History,
        state: LearnerState,
        policy: Policy,
        now: float,
        levels: np.ndarray[tuple[int], np.dtype[np.int8]],
    ) -> "Constraints":
        due = history.due(now)
        count = int(due.sum())
        levels[lately(pool, history, state, policy, count)] = _RECENCY
        levels[~due] = _NEVER
        recent = int((levels == _RECENCY).sum())
        counts = _counted(("unanswered", len(pool.items) - len(due)), ("not_due", len(due) - count), ("recency", recent))
        reason = ""
        if not len(due):
            reason = NOTHING_ANSWERED
        elif not count:
            first, moment = datetime.fromtimestamp(float(history.due_at.min()), UTC), datetime.fromtimestamp(now, UTC)
            reason = f"Nothing is due for review now; the next review is due {until(first, moment)}."
        return cls(pool, history, None, levels, None, counts, count - recent, reason)

    def stages(self, answered_only: bool) -> Iterator[Stage]:
        """Yields the candidates in the order in which they are used up; none if nothing may be shown."""
        at, levels = self.history.at, self.levels
        if answered_only:
            if self.free:
                yield Stage("", self.free, at[levels == _FREE])
        elif self.free:
            without = at[levels != _FREE]
            if self.heavy is not None:
                without = np.concatenate([without, np.repeat(self.heavy, self.pool.group_sizes).nonzero()[0]])
            yield Stage("", self.free, None, without)
        if self.heavy is not None:
            unbalanced = np.repeat(self.heavy, self.pool.group_sizes)
            unbalanced[at[levels != _FREE]] = False
            yield from _stage(_BALANCE, unbalanced.nonzero()[0])
        for level in (_SETTLED, _EXPOSURE, _RECENCY):
            yield from _stage(level, at[levels == level])


def lately(pool: Pool, history: History, state: LearnerState, policy: Policy, candidates: int) -> Indexes:
    """Returns the places in the history of what was answered just before; never more than a third of the candidates."""
    length = min(policy.recency, candidates // 3)
    _, last = pool.item_index.find(state.recent[max(0, len(state.recent) - length) :])
    places = history.place_of[last]
    return np.asarray(places[history.elapsed[places] < policy.recency_hours * 3_600.0])


def heavy_groups(pool: Pool, state: LearnerState, balance: Balance, is_open: Flags) -> Flags | None:
    """Returns the open groups that wait for others to get their share of recent practice; None if all are in balance.

    A group waits if one of its skills has had its greatest share of the window. While a skill is below its least share and has an open
    group, all groups without such a skill wait. Where everything would wait, nothing does.
    """
    _, last = pool.item_index.find(state.recent)
    if len(last) < balance.window:
        return None
    _, last = pool.item_index.find(state.recent[-balance.window :])
    if not len(last):
        return None
    had = np.zeros(len(pool.skills))
    for item in last.tolist():
        had[list(pool.skills_of(item))] += 1.0 / len(last)
    most, least = np.full(len(had), balance.most), np.zeros(len(had))
    number_of = {each.id: number for number, each in enumerate(pool.skills)}
    for each in balance.shares:
        if (number := number_of.get(each.skill)) is not None:
            most[number], least[number] = each.most, each.least
    starts = pool.group_starts[:-1]
    heavy = np.logical_or.reduceat(((had >= most) & (most < 1.0))[pool.group_skills], starts)
    wanting = np.logical_or.reduceat((had < least)[pool.group_skills], starts) & is_open
    if wanting.any():
        heavy |= ~wanting
    heavy &= is_open
    return heavy if heavy.any() and not np.array_equal(heavy, is_open) else None


def _stage(level: int, at: Indexes) -> Iterator[Stage]:
    if len(at):
        yield Stage(RELAXED[level - 1], len(at), at)


def _counted(*counts: tuple[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple([each for each in counts if each[1]])
