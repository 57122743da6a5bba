"""What holds items back, and in which order it gives way.

Every answered item has a level: 0 is free, -1 is held for good, and the others say which constraint holds it that gives way last. So each
item counts under one constraint, and the stages of a decision are the levels.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np

from domain.scheduler.model import Mode
from domain.scheduler.policy import Balance, Policy
from domain.scheduler.pool import Flags, Floats, Indexes, Pool
from domain.scheduler.reasons import until
from domain.scheduler.scoring import History, Part, SkillView, open_groups
from domain.scheduler.state import LearnerState

RELAXED = ("balance", "settled", "exposure", "recency")
"""The constraints that give way when the free items run out, in this order."""
_BALANCE, _SETTLED, _EXPOSURE, _RECENCY = range(1, len(RELAXED) + 1)
_FREE, _NEVER = 0, -1
Levels: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int8]]

NO_ITEMS = "This course has no items yet."
NOTHING_ANSWERED = "Nothing was answered in this course yet, so there is nothing to review."
ALL_ANSWERED = "Every item of this course has been answered already, and an exam repeats none."


class Stage(NamedTuple):
    """Candidates of one learner that are drawn from together. `relaxed` is the constraint that gave way for them."""

    learner: int
    level: int
    size: int

    @property
    def relaxed(self) -> str:
        return RELAXED[self.level - 1] if self.level else ""


class Constraints(NamedTuple):
    """What is held back from learners who are decided for together. `open_groups` (N, G) is None where prerequisites do not count; `levels`
    are those of the answered items (H,), `heavy` each learner's groups of skills that had more than their share. `held` says how many
    items each constraint holds from each learner, `free` how many none does."""

    pool: Pool
    history: History
    open_groups: Flags | None
    levels: Levels
    heavy: list[Flags | None]
    held: list[tuple[tuple[str, int], ...]]
    free: list[int]
    empty_reasons: list[str]
    answered_only: bool = False

    @classmethod
    def of(
        cls,
        mode: Mode,
        pool: Pool,
        skills: SkillView,
        history: History,
        states: Sequence[LearnerState],
        policy: Policy,
        now: Floats,
    ) -> "Constraints":
        """`now` is the moment of each learner (N,), in Unix seconds."""
        if mode is Mode.REVIEW:
            return cls._of_review(pool, history, states, policy, now)
        if mode is Mode.EXAM:
            return cls._of_exam(pool, history)
        items, learners = len(pool.items), len(states)
        levels = np.zeros(len(history.at), dtype=np.int8)
        is_open, heavy, closed = None, list[Flags | None]([None] * learners), [0] * learners
        if mode is Mode.PRACTICE:
            is_open = open_groups(pool, skills, policy)
            closed = (items - is_open.dot(pool.group_sizes)).tolist()
            if policy.balance.active:
                heavy = [heavy_groups(pool, *each, policy.balance) for each in zip(states, is_open, strict=True)]
        levels[(history.due_at > now[history.learner]) & (history.told["passed"][history.rows] == 1)] = _SETTLED
        most = np.array([_most_answers(each.sequence, policy) for each in states])
        levels[history.told["attempts"][history.rows] >= most[history.learner]] = _EXPOSURE
        levels[lately(pool, history, states, policy, [items - each for each in closed])] = _RECENCY
        groups = pool.item_groups[history.at]
        if is_open is not None:
            levels[~is_open[history.learner, groups]] = _NEVER
        held = _by_level(history, levels)[:, _BALANCE:].tolist()
        for own, (start, end), waiting in zip(held, pairwise(history.bounds), heavy, strict=True):
            if waiting is not None:
                own[0] = _unbalanced(pool, waiting, groups[start:end], levels[start:end])
        return cls(
            pool=pool,
            history=history,
            open_groups=is_open,
            levels=levels,
            heavy=heavy,
            held=[
                _counted(("prerequisites", shut), *zip(RELAXED, own, strict=True)) for shut, own in zip(closed, held, strict=True)
            ],
            free=[items - shut - sum(own) for shut, own in zip(closed, held, strict=True)],
            empty_reasons=[""] * learners,
        )

    @classmethod
    def _of_exam(cls, pool: Pool, history: History) -> "Constraints":
        answered = [after - before for before, after in pairwise(history.bounds)]
        free = [len(pool.items) - each for each in answered]
        return cls(
            pool=pool,
            history=history,
            open_groups=None,
            levels=np.full(len(history.at), _NEVER, dtype=np.int8),
            heavy=[None] * len(free),
            held=[_counted(("repetition", each)) for each in answered],
            free=free,
            empty_reasons=["" if each else ALL_ANSWERED for each in free],
        )

    @classmethod
    def _of_review(
        cls, pool: Pool, history: History, states: Sequence[LearnerState], policy: Policy, now: Floats
    ) -> "Constraints":
        levels = np.zeros(len(history.at), dtype=np.int8)
        due = history.due_at <= now[history.learner]
        counts = history.counts(due).tolist()
        levels[lately(pool, history, states, policy, counts)] = _RECENCY
        levels[~due] = _NEVER
        recent = _by_level(history, levels)[:, _RECENCY].tolist()
        answered = [after - before for before, after in pairwise(history.bounds)]
        return cls(
            pool=pool,
            history=history,
            open_groups=None,
            levels=levels,
            heavy=[None] * len(states),
            held=[
                _counted(("unanswered", len(pool.items) - items), ("not_due", items - count), ("recency", held))
                for items, count, held in zip(answered, counts, recent, strict=True)
            ],
            free=[count - held for count, held in zip(counts, recent, strict=True)],
            empty_reasons=[
                "" if count else _nothing_due(history.due_at[start:end], moment)
                for count, (start, end), moment in zip(counts, pairwise(history.bounds), now.tolist(), strict=True)
            ],
            answered_only=True,
        )

    def first_scores(self, part: Part, totals: Floats) -> Floats:
        """Returns the scores (n, I) of the first stage of each learner of the part, -inf for what is not in it; `totals` are those of all
        items."""
        scores = self._of_free(part, totals)
        for row, learner in enumerate(range(part.learners.start, part.learners.stop)):
            if not self.free[learner] or self.heavy[learner] is not None:
                scores[row] = self.scores_of(next(self.stages(learner)), totals[row])
        return scores

    def _of_free(self, part: Part, totals: Floats) -> Floats:
        """Returns the scores (n, I) of what no answer holds back."""
        levels = self.levels[part.answers]
        if self.answered_only:
            scores = np.full(totals.shape, -np.inf)
            free = part.cells[levels == _FREE]
            scores.reshape(-1)[free] = totals.reshape(-1)[free]
        else:
            scores = totals.copy()
            scores.reshape(-1)[part.cells[levels != _FREE]] = -np.inf
        return scores

    def scores_of(self, stage: Stage, totals: Floats) -> Floats:
        """Returns the scores (I,) of one stage, -inf for what is not in it; `totals` are those of all items of its learner."""
        at, levels, heavy = *self._answers(stage.learner), self.heavy[stage.learner]
        if stage.level == _FREE and not self.answered_only:
            scores = totals.copy()
            scores[at[levels != _FREE]] = -np.inf
            if heavy is not None:
                scores[np.repeat(heavy, self.pool.group_sizes)] = -np.inf
            return scores
        only = at[levels == stage.level]
        if stage.level == _BALANCE and heavy is not None:
            unbalanced = np.repeat(heavy, self.pool.group_sizes)
            unbalanced[at[levels != _FREE]] = False
            only = unbalanced.nonzero()[0]
        scores = np.full(len(totals), -np.inf)
        scores[only] = totals[only]
        return scores

    def stages(self, learner: int) -> Iterator[Stage]:
        """Yields the candidates of one of the learners in the order in which they are used up; none if nothing may be shown."""
        if self.free[learner]:
            yield Stage(learner, _FREE, self.free[learner])
        at, levels, heavy = *self._answers(learner), self.heavy[learner]
        if heavy is not None and (size := _unbalanced(self.pool, heavy, self.pool.item_groups[at], levels)):
            yield Stage(learner, _BALANCE, size)
        for level in (_SETTLED, _EXPOSURE, _RECENCY):
            if size := int(np.count_nonzero(levels == level)):
                yield Stage(learner, level, size)

    def _answers(self, learner: int) -> tuple[Indexes, Levels]:
        """Returns the positions of one learner's answered items, and their levels."""
        own = slice(*self.history.bounds[learner : learner + 2])
        return self.history.at[own], self.levels[own]


def lately(pool: Pool, history: History, states: Sequence[LearnerState], policy: Policy, candidates: Sequence[int]) -> Indexes:
    """Returns the places in the history of what each learner answered just before; never more than a third of the candidates (N,)."""
    last = [
        state.recent[max(0, len(state.recent) - min(policy.recency, count // 3)) :]
        for state, count in zip(states, candidates, strict=True)
    ]
    rows, items = pool.item_index.find(np.concatenate(last))
    learner = np.repeat(np.arange(len(last)), [len(each) for each in last])[rows]
    places = history.place_of[learner, items]
    return np.asarray(places[history.elapsed[places] < policy.recency_hours * 3_600.0])


def heavy_groups(pool: Pool, state: LearnerState, is_open: Flags, balance: Balance) -> Flags | None:
    """Returns one learner's open groups that wait for others to get their share of recent practice; None if all are in balance.

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


def _most_answers(sequence: int, policy: Policy) -> float:
    """Returns with how many answers an item is held back from a learner who gave so many in all."""
    most = max(policy.exposure_floor, sequence * policy.exposure_share)
    return most if most <= sequence else np.inf


def _nothing_due(due_at: Floats, now: float) -> str:
    if not len(due_at):
        return NOTHING_ANSWERED
    first, moment = datetime.fromtimestamp(float(due_at.min()), UTC), datetime.fromtimestamp(now, UTC)
    return f"Nothing is due for review now; the next review is due {until(first, moment)}."


def _by_level(history: History, levels: Levels) -> Indexes:
    """Returns how many answered items of each learner are at each level from _FREE on (N, levels)."""
    kinds = len(RELAXED) + 2  # the first is _NEVER
    places = history.learner * kinds
    places += levels
    places -= _NEVER
    return np.bincount(places, minlength=(len(history.bounds) - 1) * kinds).reshape(-1, kinds)[:, 1:]


def _unbalanced(pool: Pool, heavy: Flags, groups: Indexes, levels: Levels) -> int:
    """Returns how many items of the heavy groups nothing else holds; `groups` and `levels` are those of the answered items."""
    return int(pool.group_sizes[heavy].sum()) - int(np.count_nonzero(heavy[groups] & (levels != _FREE)))


def _counted(*counts: tuple[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple([each for each in counts if each[1]])
