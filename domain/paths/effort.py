"""How many minutes of practice a skill will take: an estimate with an interval, from what is known of the learner's mastery.

The model is Bayesian knowledge tracing's (Corbett and Anderson 1995, "Knowledge tracing: modeling the acquisition of procedural
knowledge"), as the platform measures mastery with it. A skill with P(mastered) = m is mastered already with probability m and only has to
show it; otherwise it is first learnt, at each attempt with the probability T, which nobody knows: it is spread evenly over the range that
the mastery estimate assumes for it. So the attempts are

    A = confirming + learning,    learning = 0 with probability m, else geometric with T ~ U(0.02, 0.3)

where `confirming` is the evidence that is missing, logit(target) - logit(m), over the evidence of one attempt by somebody who has
mastered the skill: the expected log likelihood ratio with the middle of the ranges of guess and slip. The expectation is
confirming + (1 - m) E[1/T]; the ends of the 90 % interval are the 5 % and 95 % points of A. That mastery can be
lost again is left out. docs/paths.md says how far this holds in simulation.

Minutes are attempts times the learner's pace, which begins at a minute an attempt and moves with the learner's own response times.
"""

from bisect import bisect_left
from collections.abc import Sequence
from math import ceil, hypot, log
from typing import Final, NamedTuple

LEARN_LOW: Final = 0.02
LEARN_HIGH: Final = 0.3
_GUESS: Final = 0.2
_SLIP: Final = 0.11
# What a learner who knows the skill shows in an answer, in logits. The mastery estimate also reckons with knowing by degrees, for which the
# same answers tell less: 0.65 of it, measured by simulation against that estimate.
_EVIDENCE: Final = 0.65 * ((1 - _SLIP) * log((1 - _SLIP) / _GUESS) + _SLIP * log(_SLIP / (1 - _GUESS)))
_ATTEMPTS_TO_LEARN: Final = log(LEARN_HIGH / LEARN_LOW) / (LEARN_HIGH - LEARN_LOW)
_MOST_ATTEMPTS: Final = 400

# P(learnt within n attempts) for n = 0, 1, ...: one less the mean of (1 - T)^n over T.
_LEARNT: Final = [
    1 - ((1 - LEARN_LOW) ** (n + 1) - (1 - LEARN_HIGH) ** (n + 1)) / ((n + 1) * (LEARN_HIGH - LEARN_LOW))
    for n in range(_MOST_ATTEMPTS + 1)
]

_LEAST: Final = 1e-6
_PRIOR_ATTEMPTS: Final = 20
_PRIOR_SECONDS: Final = 60.0
_LONGEST_ATTEMPT: Final = 600.0


class Mastery(NamedTuple):
    """P(mastered) with its 90 % interval; 0 <= lower <= mean <= upper <= 1."""

    mean: float
    lower: float
    upper: float


NEVER_PRACTISED: Final = Mastery(0.39, 0.1, 0.7)
"""Of a skill without any attempt: the middle of the range that the mastery estimate assumes, with the interval it reports then."""


class Minutes(NamedTuple):
    """Whole minutes of practice still expected, with their 90 % interval; 0 <= lower <= expected <= upper."""

    expected: int = 0
    lower: int = 0
    upper: int = 0


class Pace(NamedTuple):
    """The learner's answers whose time was told, and their seconds in all."""

    answers: int = 0
    seconds: float = 0.0

    def after(self, seconds: float) -> "Pace":
        """Returns the pace after one more answer. An answer of more than ten minutes counts as ten: the learner was away."""
        return Pace(self.answers + 1, self.seconds + min(max(seconds, 0.0), _LONGEST_ATTEMPT))

    @property
    def minutes_per_attempt(self) -> float:
        """The mean, drawn to one minute as if by 20 answers."""
        return (self.seconds + _PRIOR_ATTEMPTS * _PRIOR_SECONDS) / (self.answers + _PRIOR_ATTEMPTS) / 60


NO_MINUTES: Final = Minutes()
NEW_PACE: Final = Pace()


def attempts_to(mastery: Mastery, target: float) -> tuple[float, float, float]:
    """Returns the attempts expected until P(mastered) reaches `target`, and the ends of their 90 % interval."""
    mean = min(max(mastery.mean, _LEAST), 1 - _LEAST)
    confirming = max(_logit(target) - _logit(mean), 0.0) / _EVIDENCE
    expected = confirming + (1 - mean) * _ATTEMPTS_TO_LEARN
    lower, upper = confirming + _learning(mean, 0.05), confirming + _learning(mean, 0.95)
    return expected, min(lower, expected), max(upper, expected)


def minutes_to(mastery: Mastery, target: float, pace: Pace) -> Minutes:
    """Returns the minutes expected until P(mastered) reaches `target`; at least one, for it has not."""
    expected, lower, upper = (each * pace.minutes_per_attempt for each in attempts_to(mastery, target))
    return Minutes(max(ceil(expected), 1), int(lower), max(ceil(upper), 1))


def total(parts: Sequence[Minutes]) -> Minutes:
    """Returns the sum. What is uncertain about different skills is taken as independent, so the half-widths add as squares do."""
    expected = sum(each.expected for each in parts)
    below = hypot(*(each.expected - each.lower for each in parts))
    above = hypot(*(each.upper - each.expected for each in parts))
    return Minutes(expected, max(int(expected - below), 0), ceil(expected + above))


def _learning(mean: float, quantile: float) -> float:
    """The quantile of the attempts until the skill is mastered."""
    if mean >= quantile:
        return 0.0
    # P(learning <= n) = mean + (1 - mean) P(learnt within n attempts).
    return float(bisect_left(_LEARNT, (quantile - mean) / (1 - mean)))


def _logit(probability: float) -> float:
    return log(probability / (1 - probability))
