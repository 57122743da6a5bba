"""What would have changed a choice: the smallest change of a weight, of a mastery or of a due date that puts the runner-up before it.

All follows from the record and the stored policy, with everything else as it was. A change is given in numbers short enough to say, rounded
away from the present value, so that the number said does flip the order.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil, floor

import numpy as np

from domain.scheduler.model import KINDS, Candidate, Choice, Decision, Mode, ReasonKind
from domain.scheduler.policy import Policy, logit
from domain.scheduler.pool import Floats
from domain.scheduler.scoring import challenge_at, effect_at, gain_at, information_at

_MARGIN = 1e-6
_MEANS = np.asarray(np.float32(np.arange(1_001) / 1_000.0), dtype=np.float64)  # as precise as a state keeps them
_REVIEW, _GROWTH, _CHALLENGE, _INFORMATION = (
    KINDS.index(kind) for kind in (ReasonKind.REVIEW, ReasonKind.GROWTH, ReasonKind.CHALLENGE, ReasonKind.INFORMATION)
)


class Why(StrEnum):
    """Why an item stands before the runner-up."""

    SCORE = "score"
    CHANCE = "chance"
    ALONE = "alone"
    RELAXED = "relaxed"
    SPREAD = "spread"


@dataclass(frozen=True, slots=True)
class WeightFlip:
    """The runner-up comes first with this weight of a term, the others changed in proportion so that all sum to 1."""

    term: ReasonKind
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class MasteryFlip:
    """The runner-up comes first with this mastery of a skill."""

    skill: str
    title: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class DueFlip:
    """The runner-up comes first if the item is due for review only then."""

    after: datetime


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """The smallest change of each kind; None where none of its kind does it, or too little is known to say."""

    why: Why
    rival: str = ""
    weight: WeightFlip | None = None
    mastery: MasteryFlip | None = None
    due: DueFlip | None = None


def counterfactual(decision: Decision, choice: Choice, policy: Policy | None) -> Counterfactual:
    """Returns what would have put the runner-up before a shown item; `policy` is the version that decided, None if it is not known."""
    rival = decision.runner_up
    if choice.relaxed:
        return Counterfactual(Why.RELAXED)
    if rival is None:
        return Counterfactual(Why.ALONE)
    if decision.mode in (Mode.EXAM, Mode.PLACEMENT):
        return Counterfactual(Why.SPREAD, rival.item)
    own = next(each for each in decision.candidates if each.item == choice.item)
    if own.score <= rival.score + _MARGIN:
        return Counterfactual(Why.CHANCE, rival.item)
    return Counterfactual(
        Why.SCORE,
        rival.item,
        _weight(decision, own, rival),
        _mastery(decision, choice, own, rival, policy) if policy else None,
        _due(decision, choice, own, rival),
    )


def _weight(decision: Decision, own: Candidate, rival: Candidate) -> WeightFlip | None:
    ahead = [mine - other for mine, other in zip(own.values, rival.values, strict=True)]
    lead = sum(each * weight for each, weight in zip(ahead, decision.weights, strict=True))
    flips = []
    for kind, difference, weight in zip(KINDS, ahead, decision.weights, strict=False):
        if weight >= 1.0:
            continue
        others = (lead - weight * difference) / (1.0 - weight)
        if difference * others >= 0.0:  # with any weight of this term, the lead keeps its sign
            continue
        exact = others / (others - difference)
        after = (floor(exact * 1e4 - 1e-3) if exact < weight else ceil(exact * 1e4 + 1e-3)) / 1e4
        if 0.0 <= after <= 1.0 and after * difference + (1.0 - after) * others < -_MARGIN / 1e3:
            flips.append(WeightFlip(kind, weight, after))
    return min(flips, key=lambda each: abs(each.after - each.before), default=None)


def _mastery(decision: Decision, choice: Choice, own: Candidate, rival: Candidate, policy: Policy) -> MasteryFlip | None:
    # What a goal asks of one skill depends on all the others; and older records do not say enough.
    if decision.goal is not None or len(own.values) < len(KINDS):
        return None
    known = {each.skill: each for each in decision.skills}
    flips = []
    for skill in choice.skills:
        if not known[skill].attempts:
            continue
        now = known[skill].mean
        lead = _scores(decision, own, choice.skills, skill, policy) - _scores(
            decision, rival, decision.runner_up_skills, skill, policy
        )
        # On the other side of what counts as met, other items would open or close.
        distance = _MEANS - policy.met_mean
        same_side = distance > _MARGIN if now >= policy.met_mean else distance < -_MARGIN
        flipped = _MEANS[same_side & (lead < -_MARGIN)]
        if len(flipped):
            after = float(flipped[np.abs(flipped - now).argmin()])
            flips.append(MasteryFlip(skill, known[skill].title, now, after))
    return min(flips, key=lambda each: abs(each.after - each.before), default=None)


def _scores(decision: Decision, candidate: Candidate, skills: tuple[str, ...], changed: str, policy: Policy) -> Floats:
    """Returns a candidate's score for every mastery of `changed` from 0 to 1."""
    if changed not in skills:
        return np.full(len(_MEANS), candidate.score)
    known = {each.skill: each for each in decision.skills}
    means = np.array([_MEANS if each == changed else np.full(len(_MEANS), known[each].mean) for each in skills])
    evidence = np.full(1, float(min(known[each].attempts for each in skills)))
    before = effect_at(np.full(1, min(known[each].mean for each in skills)), evidence, policy)
    predicted = min(max(candidate.predicted_correct, 1e-12), 1.0 - 1e-12)
    logits = logit(predicted) - before + effect_at(means.min(axis=0), evidence, policy)
    values: list[float | Floats] = list(candidate.values)
    values[_GROWTH] = gain_at(means, policy).mean(axis=0)
    values[_CHALLENGE] = challenge_at(logits, policy)
    values[_INFORMATION] = information_at(logits)
    return np.asarray(sum(value * weight for value, weight in zip(values, decision.weights, strict=True)))


def _due(decision: Decision, choice: Choice, own: Candidate, rival: Candidate) -> DueFlip | None:
    weight, urgency = decision.weights[_REVIEW], own.values[_REVIEW]
    if not weight or choice.last_answered_at is None:
        return None
    elapsed = (decision.decided_at - choice.last_answered_at).total_seconds()
    least = urgency - (own.score - rival.score) / weight - _MARGIN
    # What was fully right is held back as soon as it is not due yet; what was not is at the greatest urgency.
    held_back = decision.decided_at + timedelta(seconds=1)
    settles = urgency < 1.0 or decision.mode is Mode.REVIEW
    if elapsed <= 0.0 or least <= 0.0:
        return DueFlip(held_back) if settles else None
    seconds = elapsed * (1.0 - least) / least
    if seconds > 3.2e9:  # a hundred years
        return DueFlip(held_back) if settles else None
    after = choice.last_answered_at.replace(microsecond=0) + timedelta(seconds=ceil(seconds) + 1)
    return DueFlip(min(after, held_back) if settles else after)
