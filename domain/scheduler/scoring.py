"""The constraints and terms of a decision over a whole pool at once."""

from dataclasses import dataclass

import numpy as np

from domain.scheduler.policy import Policy, logit
from domain.scheduler.pool import Flags, Floats, Indexes, Pool
from domain.scheduler.state import LearnerState, Table, key_of

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class SkillView:
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


@dataclass(frozen=True, slots=True)
class History:
    """The answered items that the pool holds: `at` are their positions in the pool; `row_of` is the row of every position, -1 for an
    item without an answer."""

    at: Indexes
    row_of: Indexes
    items: Table
    elapsed: Floats
    """Seconds since the last answer."""

    @classmethod
    def of(cls, pool: Pool, state: LearnerState, now: float) -> "History":
        rows, at = pool.item_index.find(state.items["key"])
        items = state.items[rows]
        row_of = np.full(len(pool.items), -1, dtype=np.intp)
        row_of[at] = np.arange(len(at))
        return cls(at, row_of, items, np.maximum(now - items["answered_at"], 0.0))


@dataclass(frozen=True, slots=True)
class Scores:
    """`total` is the weighted sum of the terms per item, -inf where the item's group is closed; `challenge` and `logits` (of P(correct))
    are per item, `growth` per group, `review` and `novelty` per answered item (others have 0 and 1)."""

    total: Floats
    logits: Floats
    challenge: Floats
    growth: Floats
    review: Floats
    novelty: Floats
    open_groups: Flags


def scored(pool: Pool, difficulty: Floats, state: LearnerState, skills: SkillView, history: History, policy: Policy) -> Scores:
    """Scores every item of a pool that has items; `difficulty` is in logits."""
    weights = policy.weights
    starts = pool.group_starts[:-1]
    sizes = np.diff(pool.group_starts)
    means = skills.means[pool.group_skills]
    weakest = np.minimum.reduceat(means, starts)
    evidence = np.minimum.reduceat(skills.attempts[pool.group_skills], starts)
    open_groups = np.ones(len(starts), dtype=np.bool_)
    open_groups[pool.lock_groups[skills.means[pool.lock_skills] < policy.met_mean]] = False
    # What one more practice is worth where mastery grows logistically: most in the middle, nothing once mastered.
    gains = 4.0 * means * (1.0 - means) * (means < policy.mastered_mean)
    growth = np.add.reduceat(gains, starts) / sizes

    level = ability_in(state, pool.course) + _skill_effect(weakest, evidence, policy)
    logits = level[pool.item_groups]
    logits -= difficulty
    challenge = _challenge(logits, policy)

    base = weights.growth * growth + weights.novelty
    base[~open_groups] = -np.inf
    total = base[pool.item_groups]
    total += weights.challenge * challenge
    review = _review(history)
    novelty = history.elapsed / (history.elapsed + policy.novelty_days * DAY)
    total[history.at] += weights.review * review - weights.novelty * (1.0 - novelty)
    return Scores(total, logits, challenge, growth, review, novelty, open_groups)


def ability_in(state: LearnerState, course: str) -> float:
    """Returns the learner's ability in a course in logits, 0 (the level of a new learner) if nothing is known."""
    found = np.flatnonzero(state.abilities["key"] == np.uint64(key_of(course)))
    return float(state.abilities["mean"][found[0]]) if len(found) else 0.0


def _skill_effect(weakest: Floats, evidence: Floats, policy: Policy) -> Floats:
    """Returns what the weakest skill of each group adds to the learner's ability, in logits.

    An item needs all of its skills, so the weakest decides (the conjunctive rule of Haertel's DINA model, 1989). Mastery without
    attempts behind it adds nothing.
    """
    return policy.skill_gain * (2.0 * weakest - 1.0) * evidence / (evidence + policy.skill_evidence)


def _challenge(logits: Floats, policy: Policy) -> Floats:
    """Returns 1 within the target band and less the farther P(correct) lies outside it, one half at `challenge_width` logits.

    Distances are measured in logits, where one step means as much everywhere.
    """
    low, high = logit(policy.target_low), logit(policy.target_high)
    distance = logits - (low + high) / 2.0
    np.abs(distance, out=distance)
    distance -= (high - low) / 2.0
    np.maximum(distance, 0.0, out=distance)
    distance /= policy.challenge_width
    distance *= distance
    distance += 1.0
    return np.reciprocal(distance, out=distance)


def _review(history: History) -> Floats:
    """Returns how urgent the review of each answered item is: elapsed / (elapsed + interval).

    It is one half when SM-2's interval has just passed, and 1 at once for what was not fully right, which is repeated the same day.
    """
    interval = np.maximum(history.items["due_at"] - history.items["answered_at"], 0.0)
    return np.where(interval > 0.0, history.elapsed / (history.elapsed + np.maximum(interval, 1.0)), 1.0)
