"""The terms of a score over a whole pool at once.

What a decision costs is the number of numpy's calls rather than that of items, so there are few of them: what depends on skills only is
computed once a group, what depends on the learner's answers once an answered item, and what no arm weighs not at all.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from domain.scheduler.policy import Policy, Weights, logit
from domain.scheduler.pool import Flags, Floats, Indexes, Pool
from domain.scheduler.state import LearnerState

DAY = 86_400.0


# Of the views below one is made for each decision, and a tuple is made in a fifth of a dataclass's time.
class SkillView(NamedTuple):
    """The pool's skills as the learner has them; `rows[s]` is the row of the learner's state, -1 for a skill without attempts."""

    rows: Indexes
    means: Floats
    attempts: Floats

    @classmethod
    def of(cls, pool: Pool, state: LearnerState, policy: Policy) -> "SkillView":
        rows = np.full(len(pool.skills), -1, dtype=np.intp)
        means = np.full(len(pool.skills), policy.prior_mean)
        attempts = np.zeros(len(pool.skills))
        known, at = pool.skill_index.find(state.skills["key"])
        rows[at] = known
        means[at] = state.skills["mean"][known]
        attempts[at] = state.skills["attempts"][known]
        return cls(rows, means, attempts)


class History(NamedTuple):
    """The answered items that the pool holds: `at` are their positions in the pool, `rows` their rows in the learner's state. `place_of` is
    the place among them of every position in the pool, -1 for an item without an answer. Times are Unix seconds, `elapsed` the seconds
    since the last answer."""

    at: Indexes
    rows: Indexes
    place_of: Indexes
    answered_at: Floats
    due_at: Floats
    elapsed: Floats

    @classmethod
    def of(cls, pool: Pool, state: LearnerState, now: float) -> "History":
        rows, at = pool.item_index.find(state.items["key"])
        place_of = np.full(len(pool.items), -1, dtype=np.intp)
        place_of[at] = np.arange(len(at))
        answered_at = state.items["answered_at"][rows]
        return cls(at, rows, place_of, answered_at, state.items["due_at"][rows], np.maximum(now - answered_at, 0.0))

    def due(self, now: float) -> Flags:
        """Which of the answered items are due."""
        return self.due_at <= now


class Terms(NamedTuple):
    """The terms that some arm weighs: `growth`, `goal` and `level` (log-odds of a right answer to an item of difficulty 0) per group,
    `challenge` and `information` per item, `review` and `novelty` per answered item (others have 0 and 1). None is 0 everywhere."""

    level: Floats
    growth: Floats
    goal: Floats | None
    challenge: Floats | None
    information: Floats | None
    review: Floats
    novelty: Floats

    @classmethod
    def of(
        cls,
        pool: Pool,
        difficulty: Floats,
        ability: float,
        skills: SkillView,
        history: History,
        goal_of_skills: Floats | None,
        policy: Policy,
        weights: Iterable[Weights],
    ) -> "Terms":
        """`difficulty` (per item) and `ability` are in logits."""
        level = _skill_effect(pool, skills, policy)
        level += ability
        weighed = list(weights)
        logits = challenge = information = None
        if any(each.challenge for each in weighed):
            logits = np.repeat(level, pool.group_sizes)
            logits -= difficulty
            challenge = challenge_at(logits, policy)
        if any(each.information for each in weighed):
            logits = np.repeat(level, pool.group_sizes) - difficulty if logits is None else logits
            information = information_at(logits)
        return cls(
            level=level,
            growth=_growth(pool, skills, policy),
            goal=None if goal_of_skills is None else _mean_of_groups(pool, goal_of_skills),
            challenge=challenge,
            information=information,
            review=_review(history),
            novelty=history.elapsed / (history.elapsed + policy.novelty_days * DAY),
        )

    def total(self, weights: Weights, pool: Pool, history: History, open_groups: Flags | None) -> Floats:
        """Returns the weighted sum of the terms of every item, -inf where its group is closed."""
        of_groups = weights.growth * self.growth
        of_groups += weights.novelty
        if self.goal is not None:
            of_groups += weights.goal * self.goal
        if open_groups is not None:
            of_groups[~open_groups] = -np.inf
        total: Floats = np.repeat(of_groups, pool.group_sizes)
        if weights.challenge and self.challenge is not None:
            total += weights.challenge * self.challenge
        if weights.information and self.information is not None:
            total += weights.information * self.information
        answered = weights.novelty * self.novelty
        answered += weights.review * self.review
        answered -= weights.novelty
        total[history.at] += answered
        return total


def open_groups(pool: Pool, skills: SkillView, policy: Policy) -> Flags:
    """Returns which groups have all their prerequisites met."""
    is_open = np.ones(len(pool.group_sizes), dtype=np.bool_)
    is_open[pool.lock_groups[(skills.means < policy.met_mean)[pool.lock_skills]]] = False
    return is_open


def ability_in(state: LearnerState, course_key: np.uint64) -> float | None:
    """Returns the learner's ability in a course in logits, None if nothing is known."""
    found = (state.abilities["key"] == course_key).nonzero()[0]
    return float(state.abilities["mean"][found[0]]) if len(found) else None


def challenge_at(logits: Floats, policy: Policy) -> Floats:
    """Returns 1 within the target band and less the farther P(correct) lies outside it, one half at `challenge_width` logits.

    Distances are measured in logits, where one step means as much everywhere.
    """
    low, high = logit(policy.target_low), logit(policy.target_high)
    distance = logits - (low + high) / 2.0
    np.abs(distance, out=distance)
    distance -= (high - low) / 2.0
    np.maximum(distance, 0.0, out=distance)
    if policy.challenge_width != 1.0:
        distance /= policy.challenge_width
    distance *= distance
    distance += 1.0
    return np.reciprocal(distance, out=distance)


def information_at(logits: Floats) -> Floats:
    """Returns the Fisher information of an answer about the ability, p (1 - p), as a share of its greatest value, one quarter."""
    right = np.exp(-np.abs(logits))
    right = 1.0 / (1.0 + right)
    return np.asarray(4.0 * right * (1.0 - right))


def gain_at(means: Floats, policy: Policy) -> Floats:
    """Returns what one more practice of a skill is worth, 4 m (1 - m): most in the middle, where logistic growth is steepest, and nothing
    once mastered."""
    return np.asarray(4.0 * means * (1.0 - means) * (means < policy.mastered_mean))


def effect_at(weakest: Floats, evidence: Floats, policy: Policy) -> Floats:
    """Returns what the weakest skill of an item, with the fewest attempts of its skills, adds to the learner's ability, in logits.

    An item needs all of its skills, so the weakest decides (the conjunctive rule of Haertel's DINA model, 1989). Mastery without
    attempts behind it adds nothing.
    """
    return np.asarray(policy.skill_gain * (2.0 * weakest - 1.0) * evidence / (evidence + policy.skill_evidence))


def _growth(pool: Pool, skills: SkillView, policy: Policy) -> Floats:
    return _mean_of_groups(pool, gain_at(skills.means, policy))


def _skill_effect(pool: Pool, skills: SkillView, policy: Policy) -> Floats:
    starts = pool.group_starts[:-1]
    weakest = np.minimum.reduceat(skills.means[pool.group_skills], starts)
    evidence = np.minimum.reduceat(skills.attempts[pool.group_skills], starts)
    return effect_at(weakest, evidence, policy)


def _mean_of_groups(pool: Pool, of_skills: Floats) -> Floats:
    return np.asarray(np.add.reduceat(of_skills[pool.group_skills], pool.group_starts[:-1]) / pool.group_lengths)


def _review(history: History) -> Floats:
    """Returns how urgent the review of each answered item is, 1 - R with the retrievability R = interval / (interval + elapsed).

    This hyperbola of forgetting is at one half when SM-2's interval has just passed. What was not fully right is at 1 at once, because it
    is repeated the same day.
    """
    interval = history.due_at - history.answered_at
    return np.where(interval > 0.0, history.elapsed / (history.elapsed + np.maximum(interval, 1.0)), 1.0)
