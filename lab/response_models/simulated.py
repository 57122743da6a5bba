"""Simulated answers whose probabilities are known: learners differ in ability and in their skills, items in difficulty and slope, and practice
helps. The same seed gives the same answers."""

import numpy as np

from domain.inference.history import Answered
from lab.response_models.dataset import LearnerLog

_START = 1_780_000_000.0


def simulated_logs(
    learners: int, answers: int, seed: int, items: int = 60, skills: int = 6
) -> tuple[list[LearnerLog], list[list[float]]]:
    """Returns learners with so many answers each, some seconds to days apart, and the true P(correct) of each answer.

    Log-odds = slope (ability + the skill's deviation + 0.15 log(1 + answers to the skill) - difficulty); abilities and difficulties have a
    standard deviation of 1, deviations of 0.5, logarithms of slopes of 0.3. A fifth of the items practise two skills.
    """
    rng = np.random.default_rng(seed)
    slopes, difficulties = np.exp(rng.normal(0, 0.3, items)), rng.normal(0, 1, items)
    practised = [rng.choice(skills, 2 if rng.random() < 0.2 else 1, replace=False).tolist() for _ in range(items)]
    logs, chances = [], []
    for learner in range(learners):
        ability, deviations, counts = rng.normal(), rng.normal(0, 0.5, skills), np.zeros(skills)
        history: list[Answered] = []
        own: list[float] = []
        at = _START
        for item in rng.integers(0, items, answers).tolist():
            of = practised[item]
            level = ability + (deviations[of] + 0.15 * np.log1p(counts[of])).mean()
            chance = float(1 / (1 + np.exp(-slopes[item] * (level - difficulties[item]))))
            at += float(rng.exponential(3_600.0))
            history.append(Answered(f"item-{item}", tuple(f"skill-{each}" for each in of), bool(rng.random() < chance), at))
            own.append(chance)
            counts[of] += 1
        logs.append(LearnerLog(f"learner-{learner}", history))
        chances.append(own)
    return logs, chances
