"""What a decision's record says of its candidates, choices and skills."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from itertools import chain, islice
from typing import NamedTuple

import numpy as np

from domain.scheduler.model import KINDS, Candidate, Choice, Mode, ReasonKind, SkillSnapshot
from domain.scheduler.policy import Policy
from domain.scheduler.pool import Floats, Pool
from domain.scheduler.reasons import ChosenView, reason
from domain.scheduler.scoring import History, SkillView, Terms, challenge_at


class Shown(NamedTuple):
    """A drawn item: its position in the pool, its probability by the policy and by the drawn arm, and the constraint that gave way."""

    item: int
    propensity: float
    arm_propensity: float
    relaxed: str


class Recorder(NamedTuple):
    """All that the decisions of several learners knew. Learners are named by their number, items and skills by their positions in the
    pool."""

    pool: Pool
    difficulty: Floats
    policy: Policy
    mode: Mode
    skills: SkillView
    history: History
    terms: Terms
    now: Sequence[datetime]

    def candidates(self, items: Sequence[Collection[int]], scores: Floats, propensities: Floats) -> list[dict[int, Candidate]]:
        """Returns the records of each learner's items by position, best first. `scores` and `propensities` (the probabilities for the first
        place) are those of all these items, learner after learner."""
        terms = self.terms
        at = np.fromiter(chain.from_iterable(items), dtype=np.intp)
        learner = np.repeat(np.arange(len(items)), [len(each) for each in items])
        group_cells = learner * len(self.pool.group_sizes)
        group_cells += self.pool.item_groups[at]
        logits = terms.level.take(group_cells)
        logits -= self.difficulty[at]
        predicted = 1.0 / (1.0 + np.exp(-logits))
        places = self.history.place_of[learner, at]
        answered = (places >= 0).nonzero()[0]
        places = places[answered]
        review, novelty = np.zeros(len(at)), np.ones(len(at))
        review[answered], novelty[answered] = terms.review[places], terms.novelty[places]
        positions = at.tolist()
        made = zip(
            positions,
            map(
                Candidate,
                [self.pool.items[item] for item in positions],
                scores.tolist(),
                zip(
                    review.tolist(),
                    terms.growth.take(group_cells).tolist(),
                    challenge_at(logits, self.policy).tolist(),
                    novelty.tolist(),
                    (4.0 * predicted * (1.0 - predicted)).tolist(),
                    [0.0] * len(positions) if terms.goal is None else terms.goal.take(group_cells).tolist(),
                    strict=True,
                ),
                predicted.tolist(),
                propensities.tolist(),
            ),
            strict=True,
        )
        return [dict(sorted(islice(made, len(each)), key=_best_first)) for each in items]

    def usual(self, candidates: Collection[Candidate]) -> list[float]:
        """Returns the mean of each term over these candidates."""
        return [sum(values) / len(candidates) for values in zip(*[each.values for each in candidates], strict=True)]

    def choice(
        self, learner: int, shown: Shown, candidate: Candidate, weights: Sequence[float], usual: Sequence[float]
    ) -> Choice:
        """Returns the record of a shown item; `weights` are those of the terms, `usual` the terms of the candidates beside it."""
        item, skills = shown.item, self.skills
        kind = telling(candidate.values, weights, usual)
        attempts, correct, last, passed = self._answers(learner, item)
        own = self.pool.skills_of(item)
        weakest = own[0] if len(own) == 1 else min(own, key=lambda skill: skills.means.item(learner, skill))
        view = ChosenView(
            title=self.pool.skills[weakest].title,
            mean=skills.means.item(learner, weakest),
            practised=skills.attempts.item(learner, weakest) > 0.0,
            last_answered_at=last,
            last_passed=passed,
        )
        return Choice(
            item=candidate.item,
            revision=self.pool.revisions[item],
            skills=tuple([self.pool.skills[skill].id for skill in own]),
            propensity=shown.propensity,
            predicted_correct=candidate.predicted_correct,
            reason=reason(kind, view, self.now[learner], self.mode),
            reason_kind=kind,
            attempts=attempts,
            correct=correct,
            last_answered_at=last,
            arm_propensity=shown.arm_propensity,
            relaxed=shown.relaxed,
        )

    def snapshot(self, learner: int, skill: int) -> SkillSnapshot:
        """Returns what was known of a skill."""
        published = self.pool.skills[skill]
        if (row := self.skills.rows.item(learner, skill)) < 0:
            return SkillSnapshot(published.id, published.title, self.skills.means.item(learner, skill), 0.0, 1.0, 0)
        _, mean, lower, upper, attempts = self.skills.told[row].item()
        return SkillSnapshot(published.id, published.title, mean, lower, upper, attempts)

    def missing(self, learner: int, no_ability: bool, shown_skills: Collection[int], difficulties_known: bool) -> list[str]:
        """Returns what was missing for the shown items and had to be stood in for."""
        missing = []
        if no_ability:
            missing.append("ability_unknown")
        if any(self.skills.rows.item(learner, skill) < 0 for skill in shown_skills):
            missing.append("mastery_unknown")
        if not difficulties_known:
            missing.append("difficulty_unknown")
        return missing

    def _answers(self, learner: int, item: int) -> tuple[int, int, datetime | None, bool]:
        """Returns how often an item was answered, how often rightly, when last, and whether rightly then."""
        if (place := self.history.place_of.item(learner, item)) < 0:
            return 0, 0, None, False
        _, answered_at, _, _, _, _, attempts, correct, passed = self.history.told[self.history.rows[place]].item()
        return attempts, correct, datetime.fromtimestamp(answered_at, UTC), bool(passed)


def _best_first(made: tuple[int, Candidate]) -> tuple[float, str]:
    return -made[1].score, made[1].item


def telling(values: Sequence[float], weights: Sequence[float], usual: Sequence[float]) -> ReasonKind:
    """Returns the term that lifts a candidate most above those beside it; where it is above them in none, the one that weighs most.

    What every candidate has alike is no reason for one of them.
    """
    leads = [(value - other) * weight for value, other, weight in zip(values, usual, weights, strict=True)]
    if max(leads) > 1e-9:
        return KINDS[leads.index(max(leads))]
    parts = [value * weight for value, weight in zip(values, weights, strict=True)]
    return KINDS[parts.index(max(parts))]
