"""Policies: versioned and immutable. A change of any number is a new version, so that a record can always be judged by its policy."""

from dataclasses import dataclass
from math import log


def logit(probability: float) -> float:
    return log(probability / (1.0 - probability))


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each term counts; they sum to 1, so that scores are in [0, 1]."""

    review: float
    growth: float
    challenge: float
    novelty: float

    def __post_init__(self) -> None:
        if min(self.in_order()) < 0 or abs(sum(self.in_order()) - 1.0) > 1e-9:
            raise ValueError("weights must not be negative and must sum to 1")

    def in_order(self) -> tuple[float, ...]:
        """Returns the weights in the order of ReasonKind."""
        return (self.review, self.growth, self.challenge, self.novelty)


@dataclass(frozen=True, slots=True)
class Policy:
    """How items are held back, scored and drawn.

    - A skill is met as a prerequisite from `met_mean` on, and no longer grows from `mastered_mean` on.
    - The last `recency` answered items are held back for `recency_hours`, but never more than a third of the open ones.
    - `prior_mean` stands in for the mastery of a skill without attempts.
    - P(correct) between `target_low` and `target_high` is the target band; `challenge_width` (logits) outside it halve the term.
    - `skill_gain` logits separate sure mastery from sure ignorance, halved; `skill_evidence` attempts give a skill half its weight.
    - A new item's novelty comes back by half within `novelty_days`.
    - `temperature` divides scores before the softmax: the smaller, the greedier.
    - `recorded` candidates, the best, are kept in the record beside the shown ones.
    """

    version: str
    model_version: str
    weights: Weights
    temperature: float = 0.05
    met_mean: float = 0.8
    mastered_mean: float = 0.95
    prior_mean: float = 0.3
    recency: int = 20
    recency_hours: float = 12.0
    target_low: float = 0.70
    target_high: float = 0.85
    challenge_width: float = 1.0
    skill_gain: float = 1.5
    skill_evidence: float = 4.0
    novelty_days: float = 7.0
    recorded: int = 12

    def __post_init__(self) -> None:
        if self.temperature < 0.005:  # below it, the weight of the worst candidate would vanish in double precision
            raise ValueError("temperature must be at least 0.005")


PRACTICE_1 = Policy("practice-1", "ability-mastery-1", Weights(review=0.35, growth=0.35, challenge=0.2, novelty=0.1))
"""The first policy of practice; docs/policy.md says why its numbers are what they are."""
