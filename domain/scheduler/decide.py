"""A decision: constraints, terms, an exact draw, and the record of it. Deterministic given its arguments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from random import Random

import numpy as np

from domain.scheduler.model import KINDS, Candidate, Choice, Decision, DecisionRequest, SkillSnapshot
from domain.scheduler.policy import Policy
from domain.scheduler.pool import Flags, Floats, Indexes, Pool
from domain.scheduler.reasons import ChosenView, reason
from domain.scheduler.sampling import draw, softmax_weights
from domain.scheduler.scoring import History, Scores, SkillView, scored
from domain.scheduler.state import ITEM, LearnerState, key_of

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
    if not pool.items:
        return _record(pool, policy, state, request, now, empty_reason=NO_ITEMS)
    skills = SkillView.of(pool, state, policy)
    history = History.of(pool, state, now.timestamp())
    scores = scored(pool, difficulties.values, state, skills, history, policy)
    held = _Held.of(pool, scores, history, state, policy, now.timestamp())
    stages = _stages(scores, held)
    drawn, propensities = _drawn(stages, policy, request)
    makers = _Candidates(pool, scores, history)
    candidates = _candidates(stages[0], propensities, makers, [item for item, _ in drawn], policy)
    weights = policy.weights.in_order()
    choices = [_choice(pool, history, skills, candidates[item], weights, item, makers.row(item), p, now) for item, p in drawn]
    shown_skills = sorted({skill for item, _ in drawn for skill in pool.skills_of(item)})
    return _record(
        pool,
        policy,
        state,
        request,
        now,
        candidates=tuple(candidates.values()),
        constraints=held.counts,
        choices=tuple(choices),
        skills=tuple(_snapshot(pool, skills, state, skill) for skill in shown_skills),
        fallbacks=_fallbacks(state, pool, skills, difficulties, drawn, shown_skills, stages),
    )


@dataclass(frozen=True, slots=True)
class _Held:
    """The open items that a constraint holds back, as positions in the pool, and how many each constraint has."""

    exposure: Indexes
    recency: Indexes
    counts: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, pool: Pool, scores: Scores, history: History, state: LearnerState, policy: Policy, now: float) -> "_Held":
        open_items = int(pool.group_sizes[scores.open_groups].sum())
        length = min(policy.recency, open_items // 3)
        _, last = pool.item_index.find(state.recent[len(state.recent) - min(length, len(state.recent)) :])
        lately = history.elapsed[history.row_of[last]] < policy.recency_hours * 3_600.0
        recency = last[lately & scores.open_groups[pool.item_groups[last]]]
        settled = history.at[(history.items["passed"] == 1) & (history.items["due_at"] > now)]
        settled = settled[scores.open_groups[pool.item_groups[settled]]]
        is_recent = np.zeros(len(pool.items), dtype=np.bool_)
        is_recent[recency] = True
        exposure = settled[~is_recent[settled]]
        closed = len(pool.items) - open_items
        return cls(exposure, recency, (("prerequisites", closed), ("recency", len(recency)), ("exposure", len(exposure))))


@dataclass(frozen=True, slots=True)
class _Stage:
    """Candidates that are drawn from together: their positions in the pool, ascending, and their scores. `name` says what was relaxed."""

    name: str
    at: Indexes
    scores: Floats


def _stages(scores: Scores, held: _Held) -> list[_Stage]:
    """Returns the candidates in the order in which they are used up.

    Prerequisites are never relaxed. When the free items run out, first those that are not due yet come back, then the recent ones.
    """
    free = scores.total.copy()
    free[held.exposure] = -np.inf
    free[held.recency] = -np.inf
    relaxed = (("exposure_relaxed", np.sort(held.exposure)), ("recency_relaxed", np.sort(held.recency)))
    sets = (("", np.flatnonzero(free > -np.inf)), *relaxed)
    return [_Stage(name, at, scores.total[at]) for name, at in sets if len(at)]


def _drawn(stages: Sequence[_Stage], policy: Policy, request: DecisionRequest) -> tuple[list[tuple[int, float]], Floats]:
    """Returns the positions of the items shown with their propensities, and the propensities of the first stage for the first place."""
    random = Random(seed_of(request.id)).random  # noqa: S311  # it has to be reproducible, not secret
    drawn: list[tuple[int, float]] = []
    first = softmax_weights(stages[0].scores, policy.temperature)
    for stage in stages:
        if len(drawn) == request.size:
            break
        weights = first if stage is stages[0] else softmax_weights(stage.scores, policy.temperature)
        found = draw(weights, min(len(weights), request.size - len(drawn)), random)
        drawn += [(int(stage.at[index]), propensity) for index, propensity in found]
    return drawn, first / first.sum()


class _Candidates:
    """Makes the records of a few items."""

    def __init__(self, pool: Pool, scores: Scores, history: History) -> None:
        self._pool = pool
        self._scores = scores
        self._row_of = history.row_of

    def row(self, item: int) -> int | None:
        """Returns the row of an item in the history, None if it was never answered."""
        row = int(self._row_of[item])
        return None if row < 0 else row

    def candidates(self, items: Sequence[int], propensities: Sequence[float]) -> list[Candidate]:
        """Returns the records of the items at these positions."""
        scores, at = self._scores, np.array(items, dtype=np.intp)
        rows = self._row_of[at].tolist()
        values = zip(
            (0.0 if row < 0 else float(scores.review[row]) for row in rows),
            scores.growth[self._pool.item_groups[at]].tolist(),
            scores.challenge[at].tolist(),
            (1.0 if row < 0 else float(scores.novelty[row]) for row in rows),
            strict=True,
        )
        predicted = 1.0 / (1.0 + np.exp(-scores.logits[at]))
        names = (self._pool.items[item] for item in items)
        return list(map(Candidate, names, scores.total[at].tolist(), values, predicted.tolist(), propensities))


def _candidates(
    first: _Stage, propensities: Floats, makers: _Candidates, shown: Sequence[int], policy: Policy
) -> dict[int, Candidate]:
    """Returns the best candidates of the first stage and the shown ones by position, best first."""
    top = best(first.scores, policy.recorded)
    chances = dict(zip(first.at[top].tolist(), propensities[top].tolist(), strict=True))
    for item in shown:
        if item not in chances:
            index = int(np.searchsorted(first.at, item))
            here = index < len(first.at) and first.at[index] == item
            chances[item] = float(propensities[index]) if here else 0.0
    made = dict(zip(chances, makers.candidates(list(chances), list(chances.values())), strict=True))
    return dict(sorted(made.items(), key=lambda pair: (-pair[1].score, pair[1].item)))


def best(scores: Floats, count: int) -> Indexes:
    """Returns the indexes of the `count` greatest scores, in no order; of equals those that come first."""
    if len(scores) <= count:
        return np.arange(len(scores))
    # Whole groups of items tie; a selection among the values is quick with ties, one among indexes is not.
    least = np.partition(scores, -count)[-count]
    above = np.flatnonzero(scores > least)
    return np.concatenate([above, np.flatnonzero(scores == least)[: count - len(above)]])


def _choice(
    pool: Pool,
    history: History,
    skills: SkillView,
    candidate: Candidate,
    weights: tuple[float, ...],
    item: int,
    row: int | None,
    propensity: float,
    now: datetime,
) -> Choice:
    kind = max(zip(candidate.values, weights, KINDS, strict=True), key=lambda term: term[0] * term[1])[2]
    attempts, correct, last, passed = 0, 0, None, False
    if row is not None:
        known = dict(zip(ITEM.names or (), history.items[row].item(), strict=True))
        attempts, correct, passed = known["attempts"], known["correct"], bool(known["passed"])
        last = datetime.fromtimestamp(known["answered_at"], UTC)
    own = pool.skills_of(item)
    weakest = own[int(skills.means[list(own)].argmin())] if len(own) > 1 else own[0]
    view = ChosenView(
        title=pool.skills[weakest].title,
        mean=float(skills.means[weakest]),
        practised=bool(skills.attempts[weakest]),
        last_answered_at=last,
        last_passed=passed,
    )
    return Choice(
        item=pool.items[item],
        revision=pool.revisions[item],
        skills=tuple([pool.skills[skill].id for skill in own]),
        propensity=propensity,
        predicted_correct=candidate.predicted_correct,
        reason=reason(kind, view, now),
        reason_kind=kind,
        attempts=attempts,
        correct=correct,
        last_answered_at=last,
    )


def _snapshot(pool: Pool, skills: SkillView, state: LearnerState, skill: int) -> SkillSnapshot:
    published = pool.skills[skill]
    if (row := skills.rows[skill]) < 0:
        return SkillSnapshot(published.id, published.title, float(skills.means[skill]), 0.0, 1.0, 0)
    known = state.skills[row]
    return SkillSnapshot(
        published.id, published.title, float(known["mean"]), float(known["lower"]), float(known["upper"]), int(known["attempts"])
    )


def _fallbacks(
    state: LearnerState,
    pool: Pool,
    skills: SkillView,
    difficulties: Difficulties,
    drawn: Sequence[tuple[int, float]],
    shown_skills: Sequence[int],
    stages: Sequence[_Stage],
) -> tuple[str, ...]:
    """Returns what was missing for the shown items and what stood in for it."""
    items = [item for item, _ in drawn]
    found = []
    if not (state.abilities["key"] == np.uint64(key_of(pool.course))).any():
        found.append("ability_unknown")
    if any(skills.rows[skill] < 0 for skill in shown_skills):
        found.append("mastery_unknown")
    if not difficulties.known[items].all():
        found.append("difficulty_unknown")
    used = 0
    for stage in stages:
        if stage.name and used < len(items):
            found.append(stage.name)
        used += len(stage.at)
    return tuple(found)


def _record(
    pool: Pool,
    policy: Policy,
    state: LearnerState,
    request: DecisionRequest,
    now: datetime,
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
        seed=seed_of(request.id),
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
