"""The constraints and terms of a decision over a whole pool at once.

What a decision costs is the number of numpy's calls rather than that of items, so there are few of them: what depends on skills only is
computed once a group, and what depends on the learner's answers once an answered item.
"""

from dataclasses import dataclass

import numpy as np

from domain.scheduler.policy import Policy, logit
from domain.scheduler.pool import Flags, Floats, Indexes, Pool
from domain.scheduler.state import LearnerState, key_of

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


@dataclass(frozen=True, slots=True)
class Scores:
    """`total` is the weighted sum of the terms per item, -inf where the item's group is closed. `logits` (of P(correct)) are per item,
    `growth` per group, `review` and `novelty` per answered item (others have 0 and 1)."""

    total: Floats
    logits: Floats
    growth: Floats
    review: Floats
    novelty: Floats
    open_groups: Flags


def scored(pool: Pool, difficulty: Floats, state: LearnerState, skills: SkillView, history: History, policy: Policy) -> Scores:
    """Scores every item of a pool that has items; `difficulty` is in logits."""
    weights = policy.weights
    open_groups = np.ones(len(pool.group_sizes), dtype=np.bool_)
    open_groups[pool.lock_groups[(skills.means < policy.met_mean)[pool.lock_skills]]] = False
    growth = _growth(pool, skills, policy)
    level = ability_in(state, pool.course) + _skill_effect(pool, skills, policy)
    logits = np.repeat(level, pool.group_sizes)
    logits -= difficulty

    total = challenge(logits, policy)
    total *= weights.challenge
    total += np.repeat(np.where(open_groups, weights.growth * growth + weights.novelty, -np.inf), pool.group_sizes)
    review = _review(history)
    novelty = history.elapsed / (history.elapsed + policy.novelty_days * DAY)
    total[history.at] += weights.review * review - weights.novelty * (1.0 - novelty)
    return Scores(total, logits, growth, review, novelty, open_groups)


def ability_in(state: LearnerState, course: str) -> float:
    """Returns the learner's ability in a course in logits, 0 (the level of a new learner) if nothing is known."""
    found = (state.abilities["key"] == np.uint64(key_of(course))).nonzero()[0]
    return float(state.abilities["mean"][found[0]]) if len(found) else 0.0


def challenge(logits: Floats, policy: Policy) -> Floats:
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


def _growth(pool: Pool, skills: SkillView, policy: Policy) -> Floats:
    """Returns what one more practice is worth for each group, where mastery grows logistically: most in the middle, nothing once mastered."""
    gains = 4.0 * skills.means * (1.0 - skills.means) * (skills.means < policy.mastered_mean)
    return np.asarray(np.add.reduceat(gains[pool.group_skills], pool.group_starts[:-1]) / pool.group_lengths)


def _skill_effect(pool: Pool, skills: SkillView, policy: Policy) -> Floats:
    """Returns what the weakest skill of each group adds to the learner's ability, in logits.

    An item needs all of its skills, so the weakest decides (the conjunctive rule of Haertel's DINA model, 1989). Mastery without
    attempts behind it adds nothing.
    """
    weakest = np.minimum.reduceat(skills.means[pool.group_skills], pool.group_starts[:-1])
    evidence = np.minimum.reduceat(skills.attempts[pool.group_skills], pool.group_starts[:-1])
    return policy.skill_gain * (2.0 * weakest - 1.0) * evidence / (evidence + policy.skill_evidence)


def _review(history: History) -> Floats:
    """Returns how urgent the review of each answered item is: elapsed / (elapsed + interval).

    It is one half when SM-2's interval has just passed, and 1 at once for what was not fully right, which is repeated the same day.
    """
    interval = history.due_at - history.answered_at
    return np.where(interval > 0.0, history.elapsed / (history.elapsed + np.maximum(interval, 1.0)), 1.0)
