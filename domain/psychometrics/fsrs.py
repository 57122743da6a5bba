"""FSRS-6, a model of forgetting: how likely an item is recalled today, and when it is best reviewed.

A memory has a stability, the days until P(recall) falls to 0.9, and a difficulty from 1 to 10. P(recall) after t days is the power law
(1 + F t / S)^-w20, F such that it is 0.9 at t = S. A recall makes a memory more stable, the more so the nearer it was to being forgotten,
the easier it is and the less stable it was; a lapse leaves a part of the stability; another review on the same day changes it by a rule
of its own. Twenty-one weights say how much.

Sources: J. Ye, J. Su and Y. Cao 2022, "A stochastic shortest path algorithm for optimizing spaced repetition scheduling" (KDD), and the
published definition of version 6 of the algorithm, "The Algorithm" in the wiki of open-spaced-repetition, with its bounds of the weights.

Days are calendar days (`days_between`): the night between two reviews is what forgetting is about, so a review the next morning is one day
after the evening's, though fewer than 24 hours passed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from enum import IntEnum
from math import exp, inf, isfinite
from typing import Final, NamedTuple, TypeAlias

Weights: TypeAlias = tuple[float, ...]
"""w0 to w20: initial stability for each rating (4, days), initial difficulty (2), change and mean reversion of difficulty (2), growth of
stability at a recall (3), stability after a lapse (4), factor for hard and for easy (2), same-day reviews (3), decay (1)."""

DEFAULT_WEIGHTS: Final[Weights] = (
    *(0.212, 1.2931, 2.3065, 8.2956),
    *(6.4133, 0.8334, 3.0194, 0.001),
    *(1.8722, 0.1666, 0.796),
    *(1.4835, 0.0614, 0.2629, 1.6483),
    *(0.6014, 1.8729),
    *(0.5425, 0.0912, 0.0658),
    0.1542,
)
LEAST_WEIGHTS: Final[Weights] = (
    *(0.001, 0.001, 0.001, 0.001),
    *(1.0, 0.001, 0.001, 0.001),
    *(0.0, 0.0, 0.001),
    *(0.001, 0.001, 0.001, 0.0),
    *(0.0, 1.0),
    *(0.0, 0.0, 0.0),
    0.1,
)
GREATEST_WEIGHTS: Final[Weights] = (
    *(100.0, 100.0, 100.0, 100.0),
    *(10.0, 4.0, 4.0, 0.75),
    *(4.5, 0.8, 3.5),
    *(5.0, 0.25, 0.9, 4.0),
    *(1.0, 6.0),
    *(2.0, 2.0, 0.8),
    0.8,
)
LEAST_DIFFICULTY: Final = 1.0
GREATEST_DIFFICULTY: Final = 10.0
LEAST_STABILITY: Final = 0.001
# Not part of the algorithm: no interval is as long, and it keeps the numbers finite whatever the weights.
GREATEST_STABILITY: Final = 1e9
LONGEST_INTERVAL: Final = 36_500
RETENTION: Final = 0.9


class Rating(IntEnum):
    """How an answer went. AGAIN is forgotten; the other three are recalled."""

    AGAIN = 1
    HARD = 2
    GOOD = 3
    EASY = 4


def rating_of(correct: bool) -> Rating:
    """Returns the rating of an answer of which only right or wrong is known."""
    return Rating.GOOD if correct else Rating.AGAIN


class Memory(NamedTuple):
    """What is known of one item in one memory: difficulty from 1 to 10, stability in days."""

    difficulty: float
    stability: float


def day_of(moment: datetime, zone: tzinfo = UTC, day_begins: int = 4) -> int:
    """Returns the number of the calendar day on which a moment falls in the learner's time zone, days beginning at the hour `day_begins`.

    Raises ValueError for a moment without a time zone and for an hour outside 0 to 23.
    """
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    if not 0 <= day_begins < 24:
        raise ValueError(f"a day begins at an hour from 0 to 23, not {day_begins}")
    return (moment.astimezone(zone).replace(tzinfo=None) - timedelta(hours=day_begins)).toordinal()


def days_between(earlier: datetime, later: datetime, zone: tzinfo = UTC, day_begins: int = 4) -> int:
    """Returns the nights between two moments as `day_of` counts them; 0 if `later` comes first, as a clock was set back."""
    return max(0, day_of(later, zone, day_begins) - day_of(earlier, zone, day_begins))


def clamped(weights: Sequence[float]) -> Weights:
    """Returns the weights, each moved into its bounds. Raises ValueError unless they are 21 finite numbers."""
    if len(weights) != len(DEFAULT_WEIGHTS) or not all(map(isfinite, weights)):
        raise ValueError(f"FSRS-6 has {len(DEFAULT_WEIGHTS)} weights, all finite; got {list(weights)}")
    bounds = zip(weights, LEAST_WEIGHTS, GREATEST_WEIGHTS, strict=True)
    return tuple(min(max(float(weight), least), greatest) for weight, least, greatest in bounds)


@dataclass(frozen=True, slots=True)
class Fsrs:
    """The model with its weights. Raises ValueError for a weight outside its bounds, naming it."""

    weights: Weights = DEFAULT_WEIGHTS
    factor: float = field(init=False, repr=False)
    """F of the forgetting curve, such that P(recall) is 0.9 after as many days as the stability."""
    easy_difficulty: float = field(init=False, repr=False)
    """Where difficulty reverts to: the initial difficulty of an easy answer, not clamped."""
    growth: float = field(init=False, repr=False)
    lapse_divisor: float = field(init=False, repr=False)
    """A lapse leaves at most the stability divided by this."""

    def __post_init__(self) -> None:
        for index, (weight, inside) in enumerate(zip(self.weights, clamped(self.weights), strict=True)):
            if weight != inside:
                bounds = f"{LEAST_WEIGHTS[index]} to {GREATEST_WEIGHTS[index]}"
                raise ValueError(f"weight w{index} must be from {bounds}, not {weight}")
        w = self.weights
        derived = {
            "factor": RETENTION ** (-1 / w[20]) - 1,
            "easy_difficulty": w[4] - exp(3 * w[5]) + 1,
            "growth": exp(w[8]),
            "lapse_divisor": exp(w[17] * w[18]),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def first(self, rating: Rating) -> Memory:
        """Returns the memory after the first answer."""
        difficulty = self.weights[4] - exp(self.weights[5] * (rating - 1)) + 1
        return Memory(_difficulty(difficulty), _stability(self.weights[rating - 1]))

    def retrievability(self, memory: Memory, elapsed_days: float) -> float:
        """Returns P(recall) so many days after the last review, in (0, 1]."""
        if not 0 <= elapsed_days < inf:
            raise ValueError(f"elapsed days must be 0 or more and finite, not {elapsed_days}")
        return float((1 + self.factor * elapsed_days / memory.stability) ** -self.weights[20])

    def next(self, memory: Memory, rating: Rating, elapsed_days: int) -> Memory:
        """Returns the memory after another review, so many calendar days after the last; 0 is the same day."""
        w = self.weights
        difficulty, stability = memory
        recalled = self.retrievability(memory, elapsed_days)
        if elapsed_days < 1:
            change = exp(w[17] * (rating - 3 + w[18])) * stability ** -w[19]
            stability *= change if rating == 1 else max(change, 1.0)
        elif rating == 1:
            left = w[11] * difficulty ** -w[12] * ((stability + 1) ** w[13] - 1) * exp((1 - recalled) * w[14])
            stability = min(left, stability / self.lapse_divisor)
        else:
            gain = self.growth * (11 - difficulty) * stability ** -w[9] * (exp((1 - recalled) * w[10]) - 1)
            stability *= 1 + gain * (w[15] if rating == 2 else w[16] if rating == 4 else 1.0)
        moved = difficulty - w[6] * (rating - 3) * (10 - difficulty) / 9
        return Memory(_difficulty(w[7] * self.easy_difficulty + (1 - w[7]) * moved), _stability(stability))

    def interval(self, memory: Memory, retention: float = RETENTION, longest: int = LONGEST_INTERVAL) -> int:
        """Returns the whole days, 1 to `longest`, after which P(recall) has fallen to about `retention`.

        Raises ValueError for a retention outside (0, 1) or a longest interval below one day.
        """
        days = memory.stability / self.factor * self.decline(retention, longest)
        return int(min(max(round(days), 1), longest))

    def decline(self, retention: float, longest: int = LONGEST_INTERVAL) -> float:
        """Returns F t / S at the time when P(recall) is `retention`. Raises ValueError as `interval` does."""
        if not 0 < retention < 1:
            raise ValueError(f"retention must be above 0 and below 1, not {retention}")
        if longest < 1:
            raise ValueError(f"the longest interval must be at least one day, not {longest}")
        # A retention near 0 lies beyond every interval; it need not be beyond every number.
        return float(max(retention, 1e-12) ** (-1 / self.weights[20]) - 1)


def _difficulty(value: float) -> float:
    return min(max(value, LEAST_DIFFICULTY), GREATEST_DIFFICULTY)


def _stability(value: float) -> float:
    return min(max(value, LEAST_STABILITY), GREATEST_STABILITY)
