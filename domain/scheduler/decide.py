"""A decision: constraints, terms, arm, an exact draw, and the record of it. Deterministic given its arguments."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from random import Random
from typing import Any, NamedTuple

import numpy as np

from domain.scheduler.arms import DrawnArm, context_of
from domain.scheduler.constraints import NO_ITEMS, Constraints, Stage
from domain.scheduler.goal import GoalView
from domain.scheduler.model import Decision, DecisionRequest, Mode
from domain.scheduler.policy import Policy
from domain.scheduler.pool import Flags, Floats, Indexes, Pool
from domain.scheduler.recording import Recorder, Shown
from domain.scheduler.sampling import Draws, draw, draw_best, draw_spread, evenest, probabilities_of, softmax_weights
from domain.scheduler.scoring import History, SkillView, Terms, ability_in
from domain.scheduler.state import LearnerState

ENGINE = "decide-2"
"""Names the computation in this folder, learners' states included: a change that moves any number of any decision is a new engine."""
_BLOCK = 64
_SPREAD = (Mode.EXAM, Mode.PLACEMENT)


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


def decide(
    pool: Pool, difficulties: Difficulties, state: LearnerState, policy: Policy, request: DecisionRequest, now: datetime
) -> Decision:
    """Returns the decision on a request at a moment (aware, UTC). Raises InvalidInput for a goal with a skill that the course lacks."""
    given = _given(pool, difficulties, state, policy, request, now)
    if not pool.items:
        return Decision(**given, empty_reason=NO_ITEMS)
    moment = now.timestamp()
    random = Random(given["seed"]).random  # noqa: S311  # it has to be reproducible, not secret
    skills = SkillView.of(pool, state, policy)
    history = History.of(pool, state, moment)
    goal = GoalView.of(pool, request.goal, skills.means, now)
    ability = ability_in(state, pool.course_key)
    context = context_of(ability or 0.0, skills, history, state.sequence, goal.values is not None, moment)
    drawn_arm = DrawnArm.of(policy, request.mode, context, random)
    constraints = Constraints.of(request.mode, pool, skills, history, state, policy, moment)
    if constraints.empty_reason:
        given |= {"constraints": constraints.held, "context": context}
        return Decision(**given, empty_reason=constraints.empty_reason)

    weights = [each.weights for each in drawn_arm.arms]
    terms = Terms.of(pool, difficulties.values, ability or 0.0, skills, history, goal.values, policy, weights)
    totals = [terms.total(each, pool, history, constraints.open_groups) for each in weights]
    drawn = _Drawn.of(constraints, totals, drawn_arm, request, state, random)

    recorder = Recorder(
        pool, difficulties.values, policy, drawn_arm.arm.weights, request.mode, state, skills, history, terms, now
    )
    shown = [each.item for each in drawn.shown]
    recorded = dict.fromkeys([*best(drawn.scores, policy.recorded).tolist(), *shown])
    candidates = recorder.candidates(recorded, totals[drawn_arm.place], drawn.first)
    shown_skills = {skill for item in shown for skill in pool.skills_of(item)}
    runner_up = next((pool.skills_of(item) for item in candidates if item not in shown), ())
    fallbacks = recorder.missing(ability is None, shown_skills, bool(difficulties.known[shown].all()))
    given |= {"constraints": constraints.held, "context": context}
    usual = recorder.usual(candidates.values())
    return Decision(
        **given,
        candidates=tuple(candidates.values()),
        choices=tuple([recorder.choice(each, candidates[each.item], usual) for each in drawn.shown]),
        skills=tuple([recorder.snapshot(skill) for skill in sorted(shown_skills.union(runner_up))]),
        weights=drawn_arm.arm.weights.in_order(),
        fallbacks=(*fallbacks, *(["goal_passed"] if goal.passed else []), *drawn.relaxed),
        arms=tuple([(each.name, share) for each, share in zip(drawn_arm.arms, drawn_arm.probabilities, strict=True)]),
        arm=drawn_arm.arm.name,
        runner_up_skills=tuple([pool.skills[skill].id for skill in runner_up]),
    )


class _Drawn(NamedTuple):
    """What is shown, and which constraints gave way for it; the scores of the first stage by the drawn arm, and the weights of all items
    for the first place by each arm, with what makes probabilities of them that sum to that of the arm."""

    shown: list[Shown]
    relaxed: list[str]
    scores: Floats
    first: list[tuple[Floats, float]]

    @classmethod
    def of(
        cls,
        constraints: Constraints,
        totals: Sequence[Floats],
        drawn_arm: DrawnArm,
        request: DecisionRequest,
        state: LearnerState,
        random: Callable[[], float],
    ) -> "_Drawn":
        pool, arm = constraints.pool, drawn_arm.arm
        taken = taken_lately(pool, state) if request.mode in _SPREAD else None
        belief = list(drawn_arm.probabilities)
        shown: list[Shown] = []
        relaxed: list[str] = []
        scores, first = totals[0], list[tuple[Floats, float]]()
        for number, stage in enumerate(constraints.stages(request.mode is Mode.REVIEW)):
            own = stage.of(totals[drawn_arm.place])
            count = min(stage.size, request.size - len(shown))
            weights = softmax_weights(own, arm.temperature)
            if not number:
                scores, first = own, _first(pool, stage, totals, drawn_arm, weights, taken)
            if taken is not None:
                draws = draw_spread(weights, pool, taken, count, random)
            elif arm.temperature == 0.0:
                draws = draw_best(own, count, random)
            else:
                draws = draw(weights, count, random)
            propensity = _of_policy(draws, stage, totals, drawn_arm, belief)
            shown += [Shown(item, p, own_p, stage.relaxed) for (item, own_p), p in zip(draws, propensity, strict=True)]
            relaxed += [f"{stage.relaxed}_relaxed"] if stage.relaxed else []
            if len(shown) == request.size:
                break
        return cls(shown, relaxed, scores, first)


def taken_lately(pool: Pool, state: LearnerState) -> Floats:
    """Returns how often each skill was practised by the last answered items."""
    taken = np.zeros(len(pool.skills))
    _, last = pool.item_index.find(state.recent)
    for item in last.tolist():
        taken[list(pool.skills_of(item))] += 1.0
    return taken


def _first(
    pool: Pool, stage: Stage, totals: Sequence[Floats], drawn_arm: DrawnArm, weights: Floats, taken: Floats | None
) -> list[tuple[Floats, float]]:
    """Returns the weights of all items for the first place by each arm, scaled by the arm's probability; `weights` are the drawn arm's."""
    if taken is not None:
        sums = np.add.reduceat(weights, pool.item_starts)
        weights = np.where(np.repeat(evenest(pool, taken, sums), pool.group_sizes), weights, 0.0)
    first = []
    for index, (arm, share) in enumerate(zip(drawn_arm.arms, drawn_arm.probabilities, strict=True)):
        own = weights if index == drawn_arm.place else softmax_weights(stage.of(totals[index]), arm.temperature)
        first.append((own, share / float(np.add.reduce(own))))
    return first


def _of_policy(draws: Draws, stage: Stage, totals: Sequence[Floats], drawn_arm: DrawnArm, belief: list[float]) -> list[float]:
    """Returns the probability of each draw by the whole policy, given those before it.

    `belief` is the probability of each arm given what was shown so far, which each draw changes by Bayes' rule.
    """
    if len(totals) == 1:
        return [propensity for _, propensity in draws]
    items = [item for item, _ in draws]
    by_arm = [
        [propensity for _, propensity in draws]
        if index == drawn_arm.place
        else probabilities_of(items, stage.of(total), arm.temperature)
        for index, (arm, total) in enumerate(zip(drawn_arm.arms, totals, strict=True))
    ]
    found = []
    for place in range(len(draws)):
        joint = [before * of_arm[place] for before, of_arm in zip(belief, by_arm, strict=True)]
        found.append(min(1.0, sum(joint)))
        belief[:] = [each / sum(joint) for each in joint]
    return found


def best(scores: Floats, count: int) -> Indexes:
    """Returns the indexes of the `count` greatest scores above -inf, in no order; of equals those that come first."""
    if len(scores) > count * _BLOCK:
        # The `count` greatest of the blocks' greatest are as many scores, so none below the least of them is wanted.
        greatest = np.maximum.reduceat(scores, np.arange(0, len(scores), _BLOCK))
        greatest.partition(len(greatest) - count)
        least = greatest[-count]
        reached = _where(scores >= least if least > -np.inf else scores > least)
    else:
        reached = _where(scores > -np.inf)
    if len(reached) <= count:
        return reached
    values = scores[reached]
    least = np.partition(values, -count)[-count]
    enough: Indexes = reached[values >= least]
    if len(enough) == count:
        return enough
    above = values > least
    return np.concatenate([reached[above], reached[values == least][: count - np.count_nonzero(above)]])


def _where(flags: Flags) -> Indexes:
    return flags.nonzero()[0]


def _given(
    pool: Pool, difficulties: Difficulties, state: LearnerState, policy: Policy, request: DecisionRequest, now: datetime
) -> dict[str, Any]:
    """Returns what the record of a request says that was given and not decided."""
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
