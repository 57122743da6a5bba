"""Elo: ability and difficulty from one answer at a time, for items and learners of which little is known.

    P(correct) = c + (1 - c) logistic(ability - difficulty),    c: chance of guessing

After an answer both move by a step K times the surprise, in opposite directions (Elo 1978, "The rating of chessplayers, past and present";
for learners and items, Klinkenberg, Straatemeier and van der Maas 2011). The step shrinks with the count n of answers, K = 1 / (1 + 0.05 n)
(Pelánek 2016, "Applications of the Elo rating system in adaptive educational systems"), an item's to nothing, a learner's to no less than
0.1, because learners learn. With each surprise weighted by its K, nothing is gained or lost: what the learner's rating moves by, divided by
the learner's K, is minus what the item's moves by, divided by the item's K.

The error is what the answers so far can say at best: they add Fisher information to a prior of standard deviation 1. A learner's
information is never more than steps of 0.1 can hold, so a learner's error stays above 0.3.
"""

from math import exp, inf, isfinite, sqrt
from typing import Final, NamedTuple

PRIOR_ERROR: Final = 1.0
FURTHEST: Final = 10.0
LEAST_LEARNER_STEP: Final = 0.1
_SLOWING: Final = 0.05


class Rating(NamedTuple):
    """Ability or difficulty: logits within ±10, how many answers it comes from, and their Fisher information (1 / logits²)."""

    value: float = 0.0
    answers: int = 0
    information: float = 0.0

    @property
    def error(self) -> float:
        """Standard deviation around the true value, in logits."""
        return 1 / sqrt(1 / PRIOR_ERROR**2 + self.information)


class Outcome(NamedTuple):
    """P(correct) before the answer, and both ratings after it."""

    predicted: float
    learner: Rating
    item: Rating


def step_of(count: int, least: float = 0.0) -> float:
    """Returns K after so many answers, from 1 downwards."""
    return max(least, 1 / (1 + _SLOWING * count))


def predict(ability: float, difficulty: float, guess: float = 0.0) -> float:
    """Returns P(correct); `guess` is the chance to be right by guessing, e.g. 0.25 with four options.

    Raises ValueError for ratings that are not finite and for a guess outside [0, 1).
    """
    if not (isfinite(ability) and isfinite(difficulty)):
        raise ValueError(f"ratings must be finite, not {ability} and {difficulty}")
    if not 0 <= guess < 1:
        raise ValueError(f"guess must be 0 or more and below 1, not {guess}")
    return guess + (1 - guess) * _logistic(ability - difficulty)


def observe(learner: Rating, item: Rating, score: float, guess: float = 0.0) -> Outcome:
    """Returns both ratings after an answer that got this share of the full score. Raises ValueError for a score outside [0, 1]."""
    if not 0 <= score <= 1:
        raise ValueError(f"score must be in [0, 1], not {score}")
    predicted = predict(learner.value, item.value, guess)
    surprise = score - predicted
    # Fisher information of a guessable answer (Lord 1980): the more is guessed, the less an answer says.
    knows = (predicted - guess) / (1 - guess)
    said = knows**2 * (1 - predicted) / predicted if predicted > 0 else 0.0
    return Outcome(
        predicted,
        _moved(learner, step_of(learner.answers, LEAST_LEARNER_STEP) * surprise, said, 1 / LEAST_LEARNER_STEP),
        _moved(item, -step_of(item.answers) * surprise, said, inf),
    )


def _moved(rating: Rating, by: float, said: float, most: float) -> Rating:
    value = min(max(rating.value + by, -FURTHEST), FURTHEST)
    return Rating(value, rating.answers + 1, min(rating.information + said, most))


def _logistic(logit: float) -> float:
    return 1 / (1 + exp(-logit)) if logit >= 0 else exp(logit) / (1 + exp(logit))
