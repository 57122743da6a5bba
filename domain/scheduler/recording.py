"""What a decision's record says of its candidates, choices and skills."""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from domain.scheduler.model import KINDS, Candidate, Choice, Mode, ReasonKind, SkillSnapshot
from domain.scheduler.policy import Policy, Weights
from domain.scheduler.pool import Floats, Pool
from domain.scheduler.reasons import ChosenView, reason
from domain.scheduler.scoring import History, SkillView, Terms, challenge_at
from domain.scheduler.state import LearnerState


class Shown(NamedTuple):
    """A drawn item: its position in the pool, its probability by the policy and by the drawn arm, and the constraint that gave way."""

    item: int
    propensity: float
    arm_propensity: float
    relaxed: str


class Recorder(NamedTuple):
    """All that one decision knew. Items and skills are named by their positions in the pool."""

    pool: Pool
    difficulty: Floats
    policy: Policy
    weights: Weights
    mode: Mode
    state: LearnerState
    skills: SkillView
    history: History
    terms: Terms
    now: datetime

    def candidates(self, items: Iterable[int], totals: Floats, first: Sequence[tuple[Floats, float]]) -> dict[int, Candidate]:
        """Returns the records of these items by position, best first. `first` has the weights of all items for the first place by each
        arm, and what makes probabilities of them that sum to that of the arm."""
        terms, at = self.terms, np.fromiter(items, dtype=np.intp)
        groups = self.pool.item_groups[at]
        logits = terms.level[groups] - self.difficulty[at]
        places = self.history.place_of[at].tolist()
        positions = at.tolist()
        predicted = 1.0 / (1.0 + np.exp(-logits))
        challenge = challenge_at(logits, self.policy) if terms.challenge is None else terms.challenge[at]
        propensities = sum(weights[at] * scale for weights, scale in first)
        made = list(
            zip(
                positions,
                map(
                    Candidate,
                    [self.pool.items[item] for item in positions],
                    totals[at].tolist(),
                    zip(
                        [0.0 if place < 0 else float(terms.review[place]) for place in places],
                        terms.growth[groups].tolist(),
                        challenge.tolist(),
                        [1.0 if place < 0 else float(terms.novelty[place]) for place in places],
                        (4.0 * predicted * (1.0 - predicted)).tolist(),
                        [0.0] * len(positions) if terms.goal is None else terms.goal[groups].tolist(),
                        strict=True,
                    ),
                    predicted.tolist(),
                    np.asarray(propensities).tolist(),
                ),
                strict=True,
            )
        )
        made.sort(key=lambda pair: (-pair[1].score, pair[1].item))
        return dict(made)

    def usual(self, candidates: Collection[Candidate]) -> list[float]:
        """Returns the mean of each term over these candidates."""
        return [sum(values) / len(candidates) for values in zip(*[each.values for each in candidates], strict=True)]

    def choice(self, shown: Shown, candidate: Candidate, usual: Sequence[float]) -> Choice:
        """Returns the record of a shown item; `usual` are the terms of the candidates beside it."""
        item = shown.item
        kind = telling(candidate.values, self.weights.in_order(), usual)
        attempts, correct, last, passed = self._answers(item)
        own = self.pool.skills_of(item)
        weakest = min(own, key=self.skills.means.__getitem__)
        view = ChosenView(
            title=self.pool.skills[weakest].title,
            mean=float(self.skills.means[weakest]),
            practised=bool(self.skills.attempts[weakest]),
            last_answered_at=last,
            last_passed=passed,
        )
        return Choice(
            item=candidate.item,
            revision=self.pool.revisions[item],
            skills=tuple([self.pool.skills[skill].id for skill in own]),
            propensity=shown.propensity,
            predicted_correct=candidate.predicted_correct,
            reason=reason(kind, view, self.now, self.mode),
            reason_kind=kind,
            attempts=attempts,
            correct=correct,
            last_answered_at=last,
            arm_propensity=shown.arm_propensity,
            relaxed=shown.relaxed,
        )

    def snapshot(self, skill: int) -> SkillSnapshot:
        """Returns what was known of a skill."""
        published = self.pool.skills[skill]
        if (row := self.skills.rows[skill]) < 0:
            return SkillSnapshot(published.id, published.title, float(self.skills.means[skill]), 0.0, 1.0, 0)
        _, mean, lower, upper, attempts = self.state.skills[row].item()
        return SkillSnapshot(published.id, published.title, mean, lower, upper, attempts)

    def missing(self, no_ability: bool, shown_skills: Collection[int], difficulties_known: bool) -> list[str]:
        """Returns what was missing for the shown items and had to be stood in for."""
        missing = []
        if no_ability:
            missing.append("ability_unknown")
        if any(self.skills.rows[skill] < 0 for skill in shown_skills):
            missing.append("mastery_unknown")
        if not difficulties_known:
            missing.append("difficulty_unknown")
        return missing

    def _answers(self, item: int) -> tuple[int, int, datetime | None, bool]:
        """Returns how often an item was answered, how often rightly, when last, and whether rightly then."""
        place = self.history.place_of[item]
        if place < 0:
            return 0, 0, None, False
        _, answered_at, _, _, _, _, attempts, correct, passed = self.state.items[self.history.rows[place]].item()
        return attempts, correct, datetime.fromtimestamp(answered_at, UTC), bool(passed)


def telling(values: Sequence[float], weights: Sequence[float], usual: Sequence[float]) -> ReasonKind:
    """Returns the term that lifts a candidate most above those beside it; where it is above them in none, the one that weighs most.

    What every candidate has alike is no reason for one of them.
    """
    leads = [(value - other) * weight for value, other, weight in zip(values, usual, weights, strict=True)]
    if max(leads) > 1e-9:
        return KINDS[leads.index(max(leads))]
    parts = [value * weight for value, weight in zip(values, weights, strict=True)]
    return KINDS[parts.index(max(parts))]
