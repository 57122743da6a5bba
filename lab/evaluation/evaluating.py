"""Evaluates a policy on a log: rebuilds what each decision knew, asks the production code what the policy would have done, and estimates."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from domain.progress.versions import MODELS
from domain.scheduler.decide import Difficulties, decide
from domain.scheduler.model import Decision, DecisionRequest, ProgressUpdate
from domain.scheduler.policy import Policy
from domain.scheduler.pool import Pool, compiled
from domain.scheduler.state import LearnerState
from domain.shared.errors import InvalidInput
from lab.evaluation.estimators import CONFIDENCE, Estimate, Evaluation, Floats, PoorOverlap, Sample, evaluate
from lab.evaluation.logs import Log, read_log
from lab.simulation.naming import CannotSimulate, policy_named, refusals


class Reward(StrEnum):
    """What a decision earns: `correct`, whether the shown item was answered fully right; `gain`, by how much the platform's mastery of the
    item's skills moved, summed."""

    CORRECT = "correct"
    GAIN = "gain"


@dataclass(frozen=True)
class _Whole(Policy):
    """A policy that was checked already, and whose records keep every candidate, however many."""

    def __post_init__(self) -> None:
        pass

    @classmethod
    def of(cls, policy: Policy, items: int) -> "_Whole":
        values = {each.name: getattr(policy, each.name) for each in fields(Policy)}
        return cls(**(values | {"recorded": items}))


class Intentions:
    """What a policy would do: the probability with which it puts each item first, and what is known of the items."""

    def __init__(self, pool: Pool, policy: Policy) -> None:
        self._pool = pool
        self._policy = _Whole.of(policy, len(pool.items))
        self._place = {item: n for n, item in enumerate(pool.items)}

    def at(self, state: LearnerState, difficulties: Difficulties, decided_at: float) -> tuple[Floats, Floats]:
        """Returns the probabilities (I,) and the features (I, F); items that cannot be shown have neither."""
        request = DecisionRequest("evaluation", "learner", self._pool.course, 1)
        decision = decide(self._pool, difficulties, state, self._policy, request, datetime.fromtimestamp(decided_at, UTC))
        return self._of(decision)

    def _of(self, decision: Decision) -> tuple[Floats, Floats]:
        at = [self._place[each.item] for each in decision.candidates]
        predicted = np.array([each.predicted_correct for each in decision.candidates])
        values = np.array([each.values for each in decision.candidates])
        probabilities = np.zeros(len(self._pool.items))
        features = np.zeros((len(self._pool.items), 2 + values.shape[1]))
        probabilities[at] = [each.propensity for each in decision.candidates]
        features[at] = np.column_stack([predicted, predicted**2, values])
        return probabilities, features


class CannotTell(Exception):
    """The log says too little of the policy; the message says why."""


@dataclass(frozen=True, slots=True)
class Followed:
    """A log that was read and a policy to evaluate on it."""

    log: Log
    policy: Policy
    reward: Reward

    @property
    def decisions(self) -> int:
        return len(self.log.rows)

    def estimates(self, clip: float, seed: int, show: Callable[[int], None]) -> dict[str, Any]:
        """Returns the evaluation as a document; `show` hears how many decisions were followed. Raises CannotTell or CannotSimulate."""
        with refusals():
            sample = sample_of(self.log, self.policy, self.reward, show)
            try:
                found = evaluate(sample, seed, clip)
            except PoorOverlap as refusal:
                raise CannotTell(refusal.message) from refusal
        values = {name: value._asdict() if isinstance(value, Estimate) else value for name, value in found._asdict().items()}
        return {"policy": self.policy.version, "reward": str(self.reward), "confidence": CONFIDENCE, **values}


def follow(path: Path, policy: str, reward: str) -> Followed:
    """Reads a log for a policy that is named in words. Raises CannotSimulate."""
    if reward not in tuple(Reward):
        raise CannotSimulate(f"reward must be one of {', '.join(Reward)}")
    named = policy_named(policy)
    with refusals():
        return Followed(read_log(path), named, Reward(reward))


def evaluate_on(
    log: Log,
    policy: Policy,
    reward: Reward = Reward.GAIN,
    seed: int = 0,
    clip: float = 50.0,
    done: Callable[[int], None] | None = None,
) -> Evaluation:
    """Raises InvalidInput for a log that cannot be followed, PoorOverlap when it says too little of this policy."""
    return evaluate(sample_of(log, policy, reward, done), seed, clip)


def sample_of(log: Log, policy: Policy, reward: Reward, done: Callable[[int], None] | None = None) -> Sample:
    """Follows the log decision by decision; `done` hears how many were followed."""
    if not log.rows:
        raise InvalidInput.of("log", "holds no decision")
    pool = compiled(log.course)
    intentions, place = Intentions(pool, policy), {item: n for n, item in enumerate(pool.items)}
    difficulties = Difficulties.unknown(pool)
    states: dict[str, LearnerState] = {}
    means: dict[tuple[str, str], float] = {}
    numbers: Counter[str] = Counter()
    of_learner = {name: n for n, name in enumerate(dict.fromkeys(each.update.learner for each in log.rows))}
    # As in production, decisions know the difficulties of a moment before: what was learnt of items since any learner's last decision.
    waiting: dict[str, tuple[int, float]] = {}
    kept: list[tuple[int, float, float, float]] = []
    shown, expected = [], []
    for number, row in enumerate(log.rows, 1):
        update, learner = row.update, row.update.learner
        if update.sequence != numbers[learner] + 1:
            raise InvalidInput.of(
                f"log row {number}",
                f"is answer {update.sequence} of the learner {learner}, after {numbers[learner]}: every learner's answers are needed, from "
                "the first on and in order",
            )
        if learner in waiting:
            for where, value in waiting.values():
                difficulties.values[where], difficulties.known[where] = value, True
            waiting.clear()
        state = states.get(learner, LearnerState.new())
        probabilities, features = intentions.at(state, difficulties, row.decided_at)
        item = place[update.item]
        kept.append((of_learner[learner], _earned(update, means, reward), row.propensity, float(probabilities[item])))
        shown.append(features[item])
        expected.append(probabilities @ features)
        states[learner] = state.after((_in_course(update, pool),))
        numbers[learner] += 1
        means.update({(learner, each.skill): each.mean for each in update.skills})
        waiting[learner] = item, update.item_difficulty
        if done:
            done(number)
    columns = np.array(kept)
    return Sample(columns[:, 0].astype(np.intp), columns[:, 1], columns[:, 2], columns[:, 3], np.array(shown), np.array(expected))


_NEW_MEAN = MODELS.live.tracing.new_estimate().mean


def _earned(update: ProgressUpdate, means: dict[tuple[str, str], float], reward: Reward) -> float:
    if reward is Reward.CORRECT:
        return float(update.correct)
    return sum(each.mean - means.get((update.learner, each.skill), _NEW_MEAN) for each in update.skills)


def _in_course(update: ProgressUpdate, pool: Pool) -> ProgressUpdate:
    values = {each.name: getattr(update, each.name) for each in fields(ProgressUpdate)}
    return ProgressUpdate(**(values | {"course": pool.course}))
