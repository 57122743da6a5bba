"""Decisions: constraints, terms, arm, an exact draw, and the record of it. Deterministic given its arguments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from random import Random
from typing import Any, NamedTuple

import numpy as np

from domain.scheduler.arms import DrawnArm, contexts_of
from domain.scheduler.constraints import NO_ITEMS, Constraints
from domain.scheduler.drawing import Drawing
from domain.scheduler.goal import GoalView
from domain.scheduler.model import Decision, DecisionRequest, Mode
from domain.scheduler.policy import Policy
from domain.scheduler.pool import Flags, Floats, Pool
from domain.scheduler.recording import Recorder
from domain.scheduler.scoring import History, SkillView, Terms, ability_in
from domain.scheduler.state import LearnerState

ENGINE = "decide-2"
"""Names the computation in this folder, learners' states included: a change that moves any number of any decision is a new engine."""
_MOST_TOGETHER = 64
# What is as large as the pool is computed for so many items at a time, which fit into the processor's cache.
_MOST_CELLS = 40_960


@dataclass(frozen=True, slots=True)
class Difficulties:
    """Difficulty of every item of a pool in logits, 0 where nothing is known of it yet. `epoch` is the version of these numbers."""

    values: Floats
    known: Flags
    epoch: int = 0

    @classmethod
    def unknown(cls, pool: Pool) -> "Difficulties":
        return cls(np.zeros(len(pool.items)), np.zeros(len(pool.items), dtype=np.bool_))


def seed_of(decision_id: str) -> int:
    """Returns the seed of a decision, so that its id alone makes its draws again."""
    return int.from_bytes(blake2b(decision_id.encode(), digest_size=8).digest(), "big") >> 1


class Asked(NamedTuple):
    """A request with the learner's state and the moment (aware, UTC)."""

    request: DecisionRequest
    state: LearnerState
    now: datetime


def decide(
    pool: Pool, difficulties: Difficulties, state: LearnerState, policy: Policy, request: DecisionRequest, now: datetime
) -> Decision:
    """Returns the decision on a request at a moment (aware, UTC). Raises InvalidInput for a goal with a skill that the course lacks."""
    asked = [Asked(request, state, now)]
    return (
        _decided(pool, difficulties, policy, request.mode, asked)
        if pool.items
        else decide_together(pool, difficulties, policy, asked)
    )[0]


def decide_together(pool: Pool, difficulties: Difficulties, policy: Policy, asked: Sequence[Asked]) -> list[Decision]:
    """Returns the decisions on several requests, each the same to the last digit as if it were decided alone, for less.

    Raises InvalidInput if one of them has a goal with a skill that the course lacks.
    """
    if not pool.items:
        return [Decision(**_given(pool, difficulties, policy, each), empty_reason=NO_ITEMS) for each in asked]
    decisions: list[Decision | None] = [None] * len(asked)
    for mode in dict.fromkeys([each.request.mode for each in asked]):
        places = [place for place, each in enumerate(asked) if each.request.mode is mode]
        for start in range(0, len(places), _MOST_TOGETHER):
            some = places[start : start + _MOST_TOGETHER]
            for place, decision in zip(
                some, _decided(pool, difficulties, policy, mode, [asked[each] for each in some]), strict=True
            ):
                decisions[place] = decision
    return [each for each in decisions if each is not None]


def _decided(pool: Pool, difficulties: Difficulties, policy: Policy, mode: Mode, asked: Sequence[Asked]) -> list[Decision]:
    """Returns the decisions on requests of one mode."""
    states = [each.state for each in asked]
    moments = [each.now.timestamp() for each in asked]
    now = np.array(moments)
    given = [_given(pool, difficulties, policy, each) for each in asked]
    randoms = [Random(each["seed"]).random for each in given]  # noqa: S311  # to be reproducible, not secret
    skills = SkillView.of(pool, states, policy)
    history = History.of(pool, states, now)
    goals = [GoalView.of(pool, each.request.goal, means, each.now) for each, means in zip(asked, skills.means, strict=True)]
    known = [ability_in(each, pool.course_key) for each in states]
    abilities = np.array([each or 0.0 for each in known])
    aimed = [each.values is not None for each in goals]
    contexts = contexts_of(abilities, skills, history, [each.sequence for each in states], aimed, now)
    arms = [DrawnArm.of(policy, mode, context, random) for context, random in zip(contexts, randoms, strict=True)]
    constraints = Constraints.of(mode, pool, skills, history, states, policy, now)
    if any(constraints.empty_reasons):
        return _with_empty(pool, difficulties, policy, mode, asked, contexts, constraints)

    no_goal = np.zeros(len(pool.skills))
    wanted = np.array([no_goal if each.values is None else each.values for each in goals]) if any(aimed) else None
    terms = Terms.of(pool, difficulties.values, abilities, skills, history, wanted, policy)
    requests = [each.request for each in asked]
    parts, most = [], max(1, _MOST_CELLS // len(pool.items))
    for start in range(0, len(asked), most):
        some = slice(start, min(start + most, len(asked)))
        part = history.part(some)
        parts.append(
            Drawing.of(constraints, terms, part, arms[some], requests[some], states[some], randoms[some], policy.recorded)
        )
    drawn = Drawing.joined(parts)

    items = [[each.item for each in shown] for shown in drawn.shown]
    recorder = Recorder(pool, difficulties.values, policy, mode, skills, history, terms, [each.now for each in asked])
    candidates = recorder.candidates(drawn.recorded, drawn.scores, drawn.propensities)
    decisions = []
    for number, (own, arm) in enumerate(zip(candidates, arms, strict=True)):
        shown = items[number]
        shown_skills = {skill for item in shown for skill in pool.skills_of(item)}
        runner_up = next((pool.skills_of(item) for item in own if item not in shown), ())
        fallbacks = recorder.missing(number, known[number] is None, shown_skills, bool(difficulties.known[shown].all()))
        in_order, usual = arm.arm.weights.in_order(), recorder.usual(own.values())
        decisions.append(
            Decision(
                **given[number],
                constraints=constraints.held[number],
                context=contexts[number],
                candidates=tuple(own.values()),
                choices=tuple([recorder.choice(number, one, own[one.item], in_order, usual) for one in drawn.shown[number]]),
                skills=tuple([recorder.snapshot(number, skill) for skill in sorted(shown_skills.union(runner_up))]),
                weights=in_order,
                fallbacks=(*fallbacks, *(["goal_passed"] if goals[number].passed else []), *drawn.relaxed[number]),
                arms=tuple([(one.name, share) for one, share in zip(arm.arms, arm.probabilities, strict=True)]),
                arm=arm.arm.name,
                runner_up_skills=tuple([pool.skills[skill].id for skill in runner_up]),
            )
        )
    return decisions


def _with_empty(
    pool: Pool,
    difficulties: Difficulties,
    policy: Policy,
    mode: Mode,
    asked: Sequence[Asked],
    contexts: Sequence[tuple[float, ...]],
    constraints: Constraints,
) -> list[Decision]:
    """Returns the decisions on requests for some of which nothing may be shown; the others are decided without these."""
    reasons = constraints.empty_reasons
    others = [each for each, reason in zip(asked, reasons, strict=True) if not reason]
    decided = iter(_decided(pool, difficulties, policy, mode, others) if others else [])
    return [
        Decision(**_given(pool, difficulties, policy, each), constraints=held, context=context, empty_reason=reason)
        if reason
        else next(decided)
        for each, held, context, reason in zip(asked, constraints.held, contexts, reasons, strict=True)
    ]


def _given(pool: Pool, difficulties: Difficulties, policy: Policy, asked: Asked) -> dict[str, Any]:
    """Returns what the record of a request says that was given and not decided."""
    request, state, now = asked
    return {
        "id": request.id,
        "learner": request.learner,
        "course": pool.course,
        "publication": pool.number,
        "decided_at": now,
        "policy_version": policy.version,
        "model_version": policy.model_version,
        "seed": seed_of(request.id),
        "size": request.size,
        "learner_sequence": state.sequence,
        "mode": request.mode,
        "goal": request.goal,
        "difficulty_epoch": difficulties.epoch,
        "state_lineage": state.lineage,
        "engine_version": ENGINE,
    }
