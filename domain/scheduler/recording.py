"""What a decision's record says of its candidates, choices and skills."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from domain.scheduler.model import KINDS, Candidate, Choice, SkillSnapshot
from domain.scheduler.policy import Policy
from domain.scheduler.pool import Floats, Pool
from domain.scheduler.reasons import ChosenView, reason
from domain.scheduler.scoring import History, Scores, SkillView, challenge
from domain.scheduler.state import LearnerState, key_of


@dataclass(frozen=True, slots=True)
class Recorder:
    """All that one decision knew. Items and skills are named by their positions in the pool."""

    pool: Pool
    policy: Policy
    state: LearnerState
    skills: SkillView
    history: History
    scores: Scores
    now: datetime

    def candidates(self, items: Iterable[int], weights: Floats) -> dict[int, Candidate]:
        """Returns the records of these items by position, best first; `weights` are those of all items for the first place."""
        scores, at = self.scores, np.fromiter(items, dtype=np.intp)
        logits = scores.logits[at]
        places = self.history.place_of[at].tolist()
        made = list(
            zip(
                at.tolist(),
                map(
                    Candidate,
                    [self.pool.items[item] for item in at.tolist()],
                    scores.total[at].tolist(),
                    zip(
                        [0.0 if place < 0 else float(scores.review[place]) for place in places],
                        scores.growth[self.pool.item_groups[at]].tolist(),
                        challenge(logits, self.policy).tolist(),
                        [1.0 if place < 0 else float(scores.novelty[place]) for place in places],
                        strict=True,
                    ),
                    (1.0 / (1.0 + np.exp(-logits))).tolist(),
                    (weights[at] / weights.sum()).tolist(),
                ),
                strict=True,
            )
        )
        made.sort(key=lambda pair: (-pair[1].score, pair[1].item))
        return dict(made)

    def choice(self, item: int, candidate: Candidate, propensity: float) -> Choice:
        """Returns the record of a shown item."""
        terms = [value * weight for value, weight in zip(candidate.values, self.policy.weights.in_order(), strict=True)]
        kind = KINDS[terms.index(max(terms))]
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
            propensity=propensity,
            predicted_correct=candidate.predicted_correct,
            reason=reason(kind, view, self.now),
            reason_kind=kind,
            attempts=attempts,
            correct=correct,
            last_answered_at=last,
        )

    def snapshot(self, skill: int) -> SkillSnapshot:
        """Returns what was known of a skill."""
        published = self.pool.skills[skill]
        if (row := self.skills.rows[skill]) < 0:
            return SkillSnapshot(published.id, published.title, float(self.skills.means[skill]), 0.0, 1.0, 0)
        _, mean, lower, upper, attempts = self.state.skills[row].item()
        return SkillSnapshot(published.id, published.title, mean, lower, upper, attempts)

    def missing(self, shown_skills: Sequence[int], difficulties_known: bool) -> list[str]:
        """Returns what was missing for the shown items and had to be stood in for."""
        missing = []
        if not (self.state.abilities["key"] == np.uint64(key_of(self.pool.course))).any():
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
