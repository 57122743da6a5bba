"""Which of a policy's strategy arms decides, with the exact probability of each."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from domain.psychometrics.bandits import linucb_probabilities, thompson_probabilities
from domain.scheduler.model import Mode
from domain.scheduler.policy import Arm, BanditKind, Policy
from domain.scheduler.pool import Floats
from domain.scheduler.scoring import History, SkillView


class DrawnArm(NamedTuple):
    """The arms that could have decided, the probability of each, and which one does."""

    arms: tuple[Arm, ...]
    probabilities: tuple[float, ...]
    place: int

    @property
    def arm(self) -> Arm:
        return self.arms[self.place]

    @classmethod
    def of(cls, policy: Policy, mode: Mode, context: tuple[float, ...], random: Callable[[], float]) -> "DrawnArm":
        """`random` gives uniform numbers in [0, 1); none is taken where there is no choice."""
        arms = arms_of(policy, mode)
        if len(arms) == 1:
            return cls(arms, (1.0,), 0)
        probabilities = probabilities_of_arms(policy, context)
        point, index = random() * sum(probabilities), 0
        while index + 1 < len(arms) and (point >= probabilities[index] or not probabilities[index]):
            point -= probabilities[index]
            index += 1
        return cls(arms, probabilities, index)


def arms_of(policy: Policy, mode: Mode) -> tuple[Arm, ...]:
    """Returns the arms of a mode: practice has the policy's, the others one each."""
    if mode is Mode.PRACTICE:
        return policy.arms
    return ({Mode.REVIEW: policy.review, Mode.EXAM: policy.exam, Mode.PLACEMENT: policy.placement}[mode],)


def probabilities_of_arms(policy: Policy, context: tuple[float, ...]) -> tuple[float, ...]:
    """Returns the probability of each arm of practice; they sum to 1."""
    bandit = policy.bandit
    if bandit is None:
        return tuple(each.share for each in policy.arms)
    posteriors = [each.linear() for each in bandit.posteriors]
    if bandit.kind is BanditKind.THOMPSON:
        return tuple(thompson_probabilities(posteriors, context).tolist())
    return tuple(linucb_probabilities(posteriors, context, bandit.width, bandit.exploration).tolist())


def contexts_of(
    abilities: Floats, skills: SkillView, history: History, sequences: Sequence[int], has_goal: Sequence[bool], now: Floats
) -> list[tuple[float, ...]]:
    """Returns what a bandit knows of each learner, in the order of policy.CONTEXT; `abilities` are in logits."""
    due = history.counts(history.due_at <= now[history.learner]).tolist()
    answered = [after - before for before, after in pairwise(history.bounds)]
    mastery = (np.add.reduce(skills.means, axis=1) / skills.means.shape[1]).tolist()
    return [
        (
            1.0,
            min(max(ability, -3.0), 3.0) / 3.0,
            mean,
            due_items / items if items else 0.0,
            sequence / (sequence + 50.0),
            float(goal),
        )
        for ability, mean, due_items, items, sequence, goal in zip(
            abilities.tolist(), mastery, due, answered, sequences, has_goal, strict=True
        )
    ]
