"""The terms of a score, of several learners over a whole pool at once.

What a decision costs is the number of numpy's calls rather than that of items, so there are few of them, and learners who are decided for
at the same moment share them: what depends on skills only is computed once a group, what depends on a learner's answers once an answered
item, and what no arm weighs not at all. What is as large as the pool is computed for a few learners at a time, as many as fit into the
processor's cache. Every value is the same whoever else is decided for.

Shapes: N learners, S skills, G groups, I items, H answered items of all learners together.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from domain.scheduler.policy import Policy, Weights, logit
from domain.scheduler.pool import Flags, Floats, Indexes, Pool
from domain.scheduler.state import ITEM, SKILL, LearnerState, Table

DAY = 86_400.0


# Of the views below some are made for each decision, and a tuple is made in a fifth of a dataclass's time.
class SkillView(NamedTuple):
    """The pool's skills as the learners have them, each (N, S). `rows` are rows of `told`, the joined tables of the learners' states; -1 for
    a skill without attempts."""

    told: Table
    rows: Indexes
    means: Floats
    attempts: Floats

    @classmethod
    def of(cls, pool: Pool, states: Sequence[LearnerState], policy: Policy) -> "SkillView":
        shape = len(states), len(pool.skills)
        rows = np.full(shape, -1, dtype=np.intp)
        means = np.full(shape, policy.prior_mean)
        attempts = np.zeros(shape)
        tables = [each.skills for each in states]
        told = joined(tables, SKILL)
        known, at = pool.skill_index.find(told["key"])
        cells = _owners(tables)[known]
        cells *= shape[1]
        cells += at
        rows.reshape(-1)[cells] = known
        means.reshape(-1)[cells] = told["mean"][known]
        attempts.reshape(-1)[cells] = told["attempts"][known]
        return cls(told, rows, means, attempts)


class History(NamedTuple):
    """The answered items that the pool holds, each (H,), those of one learner after those of another: learner n's are those from
    `bounds[n]` to `bounds[n + 1]`. `at` are their positions in the pool, `rows` their rows in `told`, the joined tables of the learners'
    states. `place_of` (N, I) is the place among them of every position in the pool, -1 for an item without an answer. Times are Unix
    seconds, `elapsed` the seconds since the last answer."""

    told: Table
    learner: Indexes
    bounds: list[int]
    at: Indexes
    rows: Indexes
    place_of: np.ndarray[tuple[int, int], np.dtype[np.int32]]
    answered_at: Floats
    due_at: Floats
    elapsed: Floats

    @classmethod
    def of(cls, pool: Pool, states: Sequence[LearnerState], now: Floats) -> "History":
        """`now` is the moment of each learner (N,)."""
        tables = [each.items for each in states]
        told = joined(tables, ITEM)
        rows, at = pool.item_index.find(told["key"])
        learner = _owners(tables)[rows]
        place_of = np.full((len(states), len(pool.items)), -1, dtype=np.int32)
        place_of.reshape(-1)[learner * len(pool.items) + at] = np.arange(len(at))
        answered_at = told["answered_at"][rows]
        return cls(
            told=told,
            learner=learner,
            bounds=learner.searchsorted(np.arange(len(states) + 1)).tolist(),
            at=at,
            rows=rows,
            place_of=place_of,
            answered_at=answered_at,
            due_at=told["due_at"][rows],
            elapsed=np.maximum(now[learner] - answered_at, 0.0),
        )

    def counts(self, flags: Flags) -> Indexes:
        """Returns how many of each learner's answered items have the flag (N,)."""
        return np.bincount(self.learner[flags], minlength=len(self.bounds) - 1)

    def part(self, learners: slice) -> "Part":
        """Returns where consecutive learners' answered items are."""
        answers = slice(self.bounds[learners.start], self.bounds[learners.stop])
        cells = self.learner[answers] - learners.start
        cells *= self.place_of.shape[1]
        cells += self.at[answers]
        return Part(learners, answers, cells)


class Part(NamedTuple):
    """Some n consecutive learners of the N. Their answered items are the `answers` of the history; `cells` are the places of these in a
    flattened array over the items of the pool (n, I)."""

    learners: slice
    answers: slice
    cells: Indexes


class Terms(NamedTuple):
    """The terms that depend on skills, `growth`, `goal` and `level` (log-odds of a right answer to an item of difficulty 0) (N, G), and
    `review` and `novelty` of the answered items (H,) (others have 0 and 1). A `goal` of None is 0 everywhere."""

    pool: Pool
    difficulty: Floats
    policy: Policy
    level: Floats
    growth: Floats
    goal: Floats | None
    review: Floats
    novelty: Floats

    @classmethod
    def of(
        cls,
        pool: Pool,
        difficulty: Floats,
        ability: Floats,
        skills: SkillView,
        history: History,
        goal_of_skills: Floats | None,
        policy: Policy,
    ) -> "Terms":
        """`difficulty` (I,) and `ability` (N,) are in logits; `goal_of_skills` is (N, S), 0 where a learner has no goal."""
        level = _skill_effect(pool, skills, policy)
        level += ability[:, None]
        return cls(
            pool=pool,
            difficulty=difficulty,
            policy=policy,
            level=level,
            growth=_growth(pool, skills, policy),
            goal=None if goal_of_skills is None else _mean_of_groups(pool, goal_of_skills),
            review=_review(history),
            novelty=history.elapsed / (history.elapsed + policy.novelty_days * DAY),
        )

    def totals(self, part: Part, arms: Sequence[Weights], open_groups: Flags | None) -> list[Floats]:
        """Returns for each arm the weighted sum of the terms of every item (n, I), -inf where its group is closed."""
        challenge = information = None
        if any(each.challenge for each in arms):
            challenge = challenge_at(self._logits(part), self.policy)
        if any(each.information for each in arms):
            information = information_at(self._logits(part))
        return [self._total(part, each, open_groups, challenge, information) for each in arms]

    def _logits(self, part: Part) -> Floats:
        """Returns the log-odds of a right answer to every item (n, I)."""
        logits: Floats = self.level[part.learners].repeat(self.pool.group_sizes, axis=1)
        logits -= self.difficulty
        return logits

    def _total(
        self, part: Part, weights: Weights, open_groups: Flags | None, challenge: Floats | None, information: Floats | None
    ) -> Floats:
        of_groups = weights.growth * self.growth[part.learners]
        of_groups += weights.novelty
        if self.goal is not None:
            of_groups += weights.goal * self.goal[part.learners]
        if open_groups is not None:
            of_groups[~open_groups[part.learners]] = -np.inf
        total: Floats = of_groups.repeat(self.pool.group_sizes, axis=1)
        if weights.challenge and challenge is not None:
            total += weights.challenge * challenge
        if weights.information and information is not None:
            total += weights.information * information
        answered = weights.novelty * self.novelty[part.answers]
        answered += weights.review * self.review[part.answers]
        answered -= weights.novelty
        total.reshape(-1)[part.cells] += answered
        return total


def open_groups(pool: Pool, skills: SkillView, policy: Policy) -> Flags:
    """Returns which groups have all their prerequisites met (N, G)."""
    is_open = np.ones((len(skills.means), len(pool.group_sizes)), dtype=np.bool_)
    if len(pool.locked):
        missing = (skills.means < policy.met_mean).take(pool.lock_skills, axis=1)
        is_open[:, pool.locked] = ~np.logical_or.reduceat(missing, pool.lock_starts, axis=1)
    return is_open


def ability_in(state: LearnerState, course_key: int) -> float | None:
    """Returns the learner's ability in a course in logits, None if nothing is known."""
    keys = state.abilities["key"].tolist()
    return float(state.abilities["mean"][keys.index(course_key)]) if course_key in keys else None


def joined(tables: Sequence[Table], dtype: np.dtype[np.void]) -> Table:
    """Returns tables one after another. As bytes, because numpy takes a while to see that they are of one kind."""
    return tables[0] if len(tables) == 1 else np.frombuffer(b"".join([each.tobytes() for each in tables]), dtype)


def _owners(tables: Sequence[Table]) -> Indexes:
    """Returns which of the tables each row of the joined ones is from."""
    if len(tables) == 1:
        return np.zeros(len(tables[0]), dtype=np.intp)
    return np.repeat(np.arange(len(tables)), [len(each) for each in tables])


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
    weakest = np.minimum.reduceat(skills.means.take(pool.group_skills, axis=1), starts, axis=1)
    evidence = np.minimum.reduceat(skills.attempts.take(pool.group_skills, axis=1), starts, axis=1)
    return effect_at(weakest, evidence, policy)


def _mean_of_groups(pool: Pool, of_skills: Floats) -> Floats:
    sums = np.add.reduceat(of_skills.take(pool.group_skills, axis=1), pool.group_starts[:-1], axis=1)
    return np.asarray(sums / pool.group_lengths)


def _review(history: History) -> Floats:
    """Returns how urgent the review of each answered item is, 1 - R with the retrievability R = interval / (interval + elapsed).

    This hyperbola of forgetting is at one half when SM-2's interval has just passed. What was not fully right is at 1 at once, because it
    is repeated the same day.
    """
    interval = history.due_at - history.answered_at
    return np.where(interval > 0.0, history.elapsed / (history.elapsed + np.maximum(interval, 1.0)), 1.0)
