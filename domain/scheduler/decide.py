"""A decision: constraints, terms, an exact draw, and the record of it. Deterministic given its arguments."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from random import Random

import numpy as np

from domain.scheduler.model import Candidate, Choice, Decision, DecisionRequest, SkillSnapshot
from domain.scheduler.policy import Policy
from domain.scheduler.pool import Flags, Floats, Indexes, Pool
from domain.scheduler.recording import Recorder
from domain.scheduler.sampling import draw, softmax_weights
from domain.scheduler.scoring import History, Scores, SkillView, scored
from domain.scheduler.state import LearnerState

NO_ITEMS = "This course has no items yet."


@dataclass(frozen=True, slots=True)
class Difficulties:
    """Difficulty of every item of a pool in logits, 0 where nothing is known of it yet."""

    values: Floats
    known: Flags

    @classmethod
    def unknown(cls, pool: Pool) -> "Difficulties":
        return cls(np.zeros(len(pool.items)), np.zeros(len(pool.items), dtype=np.bool_))


def seed_of(decision_id: str) -> int:
    """Returns the seed of a decision, so that its id alone makes its draws again."""
    return int.from_bytes(blake2b(decision_id.encode(), digest_size=8).digest(), "big") >> 1


def decide(
    pool: Pool, difficulties: Difficulties, state: LearnerState, policy: Policy, request: DecisionRequest, now: datetime
) -> Decision:
    """Returns the decision on a request at a moment (aware, UTC)."""
    seed = seed_of(request.id)
    if not pool.items:
        return _decision(pool, policy, state, request, now, seed, empty_reason=NO_ITEMS)
    skills = SkillView.of(pool, state, policy)
    history = History.of(pool, state, now.timestamp())
    scores = scored(pool, difficulties.values, state, skills, history, policy)
    held = _Held.of(pool, scores, history, state, policy, now.timestamp())
    drawn = _Drawn.of(_stages(scores, held), policy, request.size, seed)
    recorder = Recorder(pool, policy, state, skills, history, scores, now)
    shown = [item for item, _ in drawn.shown]
    candidates = recorder.candidates(dict.fromkeys([*best(drawn.first.scores, policy.recorded).tolist(), *shown]), drawn.weights)
    shown_skills = sorted({skill for item in shown for skill in pool.skills_of(item)})
    return _decision(
        pool,
        policy,
        state,
        request,
        now,
        seed,
        candidates=tuple(candidates.values()),
        constraints=held.counts,
        choices=tuple([recorder.choice(item, candidates[item], propensity) for item, propensity in drawn.shown]),
        skills=tuple([recorder.snapshot(skill) for skill in shown_skills]),
        fallbacks=(*recorder.missing(shown_skills, bool(difficulties.known[shown].all())), *drawn.relaxed),
    )


@dataclass(frozen=True, slots=True)
class _Held:
    """The open items that a constraint holds back, as positions in the pool, how many each constraint has, and how many are free."""

    exposure: Indexes
    recency: Indexes
    counts: tuple[tuple[str, int], ...]
    free: int

    @classmethod
    def of(cls, pool: Pool, scores: Scores, history: History, state: LearnerState, policy: Policy, now: float) -> "_Held":
        open_items = int(pool.group_sizes[scores.open_groups].sum())
        is_open = scores.open_groups[pool.item_groups[history.at]]
        length = min(policy.recency, open_items // 3)
        _, last = pool.item_index.find(state.recent[max(0, len(state.recent) - length) :])
        lately = history.place_of[last]
        lately = lately[is_open[lately] & (history.elapsed[lately] < policy.recency_hours * 3_600.0)]
        settled = (history.due_at > now) & is_open & (state.items["passed"][history.rows] == 1)
        settled[lately] = False
        exposure, recency = history.at[settled], history.at[lately]
        closed = len(pool.items) - open_items
        counts = (("prerequisites", closed), ("recency", len(recency)), ("exposure", len(exposure)))
        return cls(exposure, recency, counts, open_items - len(exposure) - len(recency))


@dataclass(frozen=True, slots=True)
class _Stage:
    """`count` candidates that are drawn from together: the scores of the whole pool, -inf for all others. `relaxed` says which constraint
    gave way."""

    relaxed: str
    scores: Floats
    count: int


def _stages(scores: Scores, held: _Held) -> Iterator[_Stage]:
    """Yields the candidates in the order in which they are used up; there is always a stage.

    Prerequisites are never relaxed. When the free items run out, first those that are not due yet come back, then the recent ones.
    """
    if held.free:
        free = scores.total.copy()
        free[held.exposure] = -np.inf
        free[held.recency] = -np.inf
        yield _Stage("", free, held.free)
    for relaxed, at in (("exposure_relaxed", held.exposure), ("recency_relaxed", held.recency)):
        if len(at):
            only = np.full(len(scores.total), -np.inf)
            only[at] = scores.total[at]
            yield _Stage(relaxed, only, len(at))


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The positions shown with their propensities, which constraints gave way for them, and the weights in the first stage."""

    shown: list[tuple[int, float]]
    relaxed: list[str]
    first: _Stage
    weights: Floats

    @classmethod
    def of(cls, stages: Iterator[_Stage], policy: Policy, size: int, seed: int) -> "_Drawn":
        random = Random(seed).random  # noqa: S311  # it has to be reproducible, not secret
        first = stage = next(stages)
        weights = first_weights = softmax_weights(first.scores, policy.temperature)
        shown: list[tuple[int, float]] = []
        relaxed: list[str] = []
        while True:
            shown += draw(weights, min(stage.count, size - len(shown)), random)
            relaxed += [stage.relaxed] if stage.relaxed else []
            following = next(stages, None) if len(shown) < size else None
            if following is None:
                return cls(shown, relaxed, first, first_weights)
            stage, weights = following, softmax_weights(following.scores, policy.temperature)


def best(scores: Floats, count: int) -> Indexes:
    """Returns the indexes of the `count` greatest scores above -inf, in no order; of equals those that come first."""
    if len(scores) <= count:
        return _where(scores > -np.inf)
    # Whole groups of items tie; a selection among the values is quick with ties, one among indexes is not.
    least = np.partition(scores, -count)[-count]
    if least == -np.inf:
        return _where(scores > least)
    reached = _where(scores >= least)
    if len(reached) == count:
        return reached
    above = scores[reached] > least
    return np.concatenate([reached[above], reached[~above][: count - int(above.sum())]])


def _where(flags: Flags) -> Indexes:
    return flags.nonzero()[0]


def _decision(
    pool: Pool,
    policy: Policy,
    state: LearnerState,
    request: DecisionRequest,
    now: datetime,
    seed: int,
    candidates: tuple[Candidate, ...] = (),
    constraints: tuple[tuple[str, int], ...] = (),
    choices: tuple[Choice, ...] = (),
    skills: tuple[SkillSnapshot, ...] = (),
    fallbacks: tuple[str, ...] = (),
    empty_reason: str = "",
) -> Decision:
    return Decision(
        id=request.id,
        learner=request.learner,
        course=pool.course,
        publication=pool.number,
        decided_at=now,
        policy_version=policy.version,
        model_version=policy.model_version,
        seed=seed,
        size=request.size,
        learner_sequence=state.sequence,
        candidates=candidates,
        constraints=constraints,
        choices=choices,
        skills=skills,
        weights=policy.weights.in_order(),
        fallbacks=fallbacks,
        empty_reason=empty_reason,
    )
