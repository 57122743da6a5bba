"""A cohort practises: learners, the platform's production code, and what is measured, step by step.

All learners of a cohort answer in lockstep, so that the platform's beliefs are brought up to date in batches, as under load. Decisions are
made by `domain.scheduler.decide`, mastery and item difficulties by `domain.progress.workbook`, exactly as in production; the truth behind
the answers is the simulator's.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from domain.progress.model import Answer, CourseState, ProgressUpdated, SkillState
from domain.progress.versions import MODELS
from domain.progress.workbook import Workbook
from domain.psychometrics.response_model import ItemEvidence
from domain.scheduler.decide import Difficulties
from domain.scheduler.model import ProgressUpdate, SkillMastery
from domain.scheduler.state import LearnerState
from lab.simulation.chance import Floats, Integers, Luck, uniform
from lab.simulation.families import learners
from lab.simulation.learners import Flags, Learners
from lab.simulation.world import World

BEGIN = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
SECONDS_BETWEEN = 40.0
DAY = 86_400.0
_GAPS = np.array([1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 3.0, 5.0])


@dataclass(frozen=True, slots=True)
class Schedule:
    """Every learner practises in `sessions` of `answers` each, one to five days apart, and is examined `exam_days` after the last one."""

    sessions: int = 15
    answers: int = 20
    exam_days: float = 2.0

    @property
    def steps(self) -> int:
        return self.sessions * self.answers


@dataclass(slots=True)
class Step:
    """What a chooser may look at before a step. Arrays are by learner of the cohort."""

    number: int
    world: World
    ids: Integers
    seed: int
    truth: Learners
    states: list[LearnerState]
    means: Floats
    difficulties: Difficulties
    now: list[datetime]
    days_left: Floats
    course: str


class Chooser(Protocol):
    """A policy: chooses an item (position in the pool) for each learner, and says how probable each choice was."""

    @property
    def name(self) -> str: ...

    @property
    def needs_states(self) -> bool:
        """Whether it looks at the scheduler's states of the learners, which cost time to keep."""
        ...

    def choose(self, step: Step) -> tuple[Integers, Floats]: ...


@dataclass(frozen=True, slots=True)
class Moment:
    """What happened at a step; shapes (N,). `updates` are the platform's, None where nobody needs them."""

    step: Step
    items: Integers
    propensities: Floats
    right: Flags
    updates: Sequence[ProgressUpdate]


@dataclass(slots=True)
class Trace:
    """What a cohort left behind. N learners, T steps, S skills, I items.

    - `mastered` (T + 1, N): the share of skills truly mastered after each step; the first is before all, and `exam` (N,) after a last rest.
    - `predicted` (T, N) P(right) before each answer, `right` (T, N) the answers.
    - `shown` (N, I): how often each learner saw each item.
    - `intervals` rows of (learner's id, session, skill, lower, mean, upper, ideal belief, truly mastered) at the end of each session, one for
      each skill practised in it.
    """

    ids: Integers
    mastered: NDArray[np.float32]
    exam: Floats
    predicted: NDArray[np.float32]
    right: Flags
    shown: NDArray[np.uint16]
    intervals: Floats


@dataclass(slots=True)
class _Platform:
    """The platform's memory of a cohort: what its stores would hold."""

    course: str
    names: list[str]
    counts: dict[str, int] = field(default_factory=dict)
    courses: dict[tuple[str, str], CourseState] = field(default_factory=dict)
    skills: dict[tuple[str, str], SkillState] = field(default_factory=dict)
    items: dict[str, ItemEvidence] = field(default_factory=dict)

    def record(self, answers: list[Answer], now: datetime) -> list[ProgressUpdated]:
        workbook = Workbook(self.counts, {}, self.courses, self.skills, self.items)
        workbook.count(answers, now)
        self.counts.update(workbook.new_counts)
        self.courses.update(workbook.new_courses)
        self.skills.update(workbook.new_skills)
        for item, gained in workbook.gained.items():
            self.items[item] = self.items[item] + gained if item in self.items else gained
        return workbook.updates


def simulate(
    world: World,
    family: str,
    ids: Integers,
    chooser: Chooser,
    schedule: Schedule,
    seed: int,
    watch: Callable[[Moment], None] | None = None,
    done: Callable[[int], None] | None = None,
) -> Trace:
    """Lets the learners with these ids practise under a policy. `watch` sees every moment; `done` hears how many answers were given."""
    with _garbage_collected_seldom():
        return _simulated(world, family, ids, chooser, schedule, seed, watch, done)


def _simulated(
    world: World,
    family: str,
    ids: Integers,
    chooser: Chooser,
    schedule: Schedule,
    seed: int,
    watch: Callable[[Moment], None] | None,
    done: Callable[[int], None] | None,
) -> Trace:
    count, pool = len(ids), world.pool
    truth = learners(family, world, ids, seed)
    platform = _Platform(pool.course, [f"learner-{each}" for each in ids.tolist()])
    known = np.zeros(len(pool.items), dtype=np.bool_)
    step = Step(
        number=0,
        world=world,
        ids=ids,
        seed=seed,
        truth=truth,
        states=[LearnerState.new()] * count,
        means=np.full((count, len(pool.skills)), _NEW_MEAN),
        difficulties=Difficulties(np.zeros(len(pool.items)), known),
        now=[],
        days_left=np.zeros(count),
        course=pool.course,
    )
    place = {item: n for n, item in enumerate(pool.items)}
    skill_place = {skill.id: n for n, skill in enumerate(pool.skills)}
    item_skill_names = [tuple(pool.skills[skill].id for skill in pool.skills_of(item)) for item in range(len(pool.items))]
    gaps = _gaps(ids, schedule, seed)
    began = np.concatenate([np.zeros((1, count)), gaps.cumsum(axis=0)])
    trace = Trace(
        ids,
        np.zeros((schedule.steps + 1, count), np.float32),
        np.zeros(count),
        np.zeros((schedule.steps, count), np.float32),
        np.zeros((schedule.steps, count), np.bool_),
        np.zeros((count, len(pool.items)), np.uint16),
        np.empty((0, 8)),
    )
    trace.mastered[0] = truth.degree.mean(axis=1)
    rows, intervals = np.arange(count), []
    for session in range(schedule.sessions):
        bounds: dict[tuple[int, int], tuple[float, float, float]] = {}
        step.days_left = began[-1] - began[session]
        for turn in range(schedule.answers):
            at = session * schedule.answers + turn
            seconds = began[session] * DAY + turn * SECONDS_BETWEEN
            step.number, step.now = at, [BEGIN + timedelta(seconds=each) for each in seconds.tolist()]
            items, propensities = chooser.choose(step)
            nth = trace.shown[rows, items].astype(np.intp)
            first_skill = world.item_skills[items, 0]
            right = uniform(seed, Luck.ANSWER, ids, first_skill, nth, items) < truth.chances(items)
            answers = _answers(step, platform, items, right, item_skill_names)
            updates = platform.record(answers, step.now[0])
            told = [_told(each) for each in updates]
            if watch:
                watch(Moment(step, items, propensities, right, told))
            truth.answer(items, right)
            trace.shown[rows, items] += 1
            trace.right[at], trace.mastered[at + 1] = right, truth.degree.mean(axis=1)
            trace.predicted[at] = [each.attempt.predicted for each in updates]
            for row, update in enumerate(told):
                where = place[update.item]
                step.difficulties.values[where], known[where] = update.item_difficulty, True
                for skill in update.skills:
                    number = skill_place[skill.skill]
                    step.means[row, number] = skill.mean
                    bounds[row, number] = (skill.lower, skill.mean, skill.upper)
                if chooser.needs_states:
                    step.states[row] = step.states[row].after((update,))
            if done:
                done(count)
        intervals.append(_judged(bounds, ids, session, truth))
        truth.rest(gaps[session])
    trace.exam = truth.degree.mean(axis=1)
    trace.intervals = np.concatenate(intervals)
    return trace


@contextmanager
def _garbage_collected_seldom() -> Iterator[None]:
    """Records are made by the thousand and none is part of a cycle: looking for cycles as often as usual takes a sixth of the time."""
    usual = gc.get_threshold()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


_NEW_MEAN = MODELS.live.tracing.new_estimate().mean


def _gaps(ids: Integers, schedule: Schedule, seed: int) -> Floats:
    """Days (sessions, N) from the begin of each session to that of the next, and at last to the exam."""
    drawn = np.stack([uniform(seed, Luck.GAP, ids, session) for session in range(schedule.sessions)])
    gaps: Floats = _GAPS[(drawn * len(_GAPS)).astype(np.intp)]
    gaps[-1] = schedule.exam_days
    return gaps


def _answers(step: Step, platform: _Platform, items: Integers, right: Flags, skills: Sequence[tuple[str, ...]]) -> list[Answer]:
    """The graded answers; a right one takes six to fourteen seconds, a wrong one ten seconds more."""
    seconds = 6.0 + 8.0 * uniform(step.seed, Luck.TIME, step.ids, step.number) + 10.0 * ~right
    names, pool = platform.names, step.world.pool.items
    return [
        Answer(
            id=f"{name}-{step.number}",
            learner=name,
            course=platform.course,
            item=pool[item],
            skills=skills[item],
            score=float(correct),
            correct=correct,
            answered_at=now,
            response_time=timedelta(seconds=took),
        )
        for name, item, correct, now, took in zip(names, items.tolist(), right.tolist(), step.now, seconds.tolist(), strict=True)
    ]


def _told(update: ProgressUpdated) -> ProgressUpdate:
    """What the progress context tells the scheduler."""
    answer = update.attempt.answer
    return ProgressUpdate(
        learner=answer.learner,
        sequence=update.attempt.sequence,
        course=answer.course,
        item=answer.item,
        score=answer.score,
        correct=answer.correct,
        skills=tuple(
            [
                SkillMastery(each.skill, each.estimate.mean, each.estimate.lower, each.estimate.upper, each.attempt_count)
                for each in update.skills
            ]
        ),
        ability=update.ability.mean,
        ability_error=update.ability.standard_error,
        item_difficulty=update.difficulty,
        answered_at=answer.answered_at.timestamp(),
        response_seconds=answer.response_time.total_seconds() if answer.response_time else None,
    )


def _judged(bounds: dict[tuple[int, int], tuple[float, float, float]], ids: Integers, session: int, truth: Learners) -> Floats:
    """Sets the platform's intervals beside the truth."""
    places = np.array(list(bounds), dtype=np.intp).reshape(-1, 2)
    rows, skills = places[:, 0], places[:, 1]
    belief, mastered = truth.belief[rows, skills], truth.degree[rows, skills]
    said = np.array(list(bounds.values())).reshape(-1, 3)
    return np.column_stack([ids[rows], np.full(len(rows), session), skills, said, belief, mastered])
