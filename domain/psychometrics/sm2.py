"""SM-2, the review algorithm of SuperMemo 2.

Source: P. A. Woźniak, "Optimization of learning" (master's thesis, Poznań 1990), chapter 3.2, "Application of a computer to improve the
results obtained in working with the SuperMemo method".
"""

from dataclasses import dataclass
from math import ceil

FIRST_EASE = 2.5
LEAST_EASE = 1.3
_FIRST_INTERVAL = 1.0
_SECOND_INTERVAL = 6.0
_PASSING = 3


@dataclass(frozen=True, slots=True)
class MemoryState:
    """What is known of one item in one memory.

    `repetitions` counts the passed repetitions since the last failure; `interval` is in days from the last repetition to the next, 0
    before the first; `ease` is the E-factor, by which intervals grow from the third repetition on.
    """

    repetitions: int = 0
    interval: float = 0.0
    ease: float = FIRST_EASE


def review(state: MemoryState, quality: int) -> MemoryState:
    """Returns the state after a repetition whose answer had a quality from 0 (blackout) to 5 (perfect).

    A quality below 3 begins the repetitions anew and leaves the ease alone. Otherwise the ease becomes
    EF' = EF + (0.1 - (5 - q)(0.08 + (5 - q) 0.02)), at least 1.3, and the intervals are 1, 6 and then the last one times EF', in days,
    rounded up. Raises ValueError for a quality outside 0 to 5.
    """
    if not 0 <= quality <= 5:
        raise ValueError(f"quality must be from 0 to 5, not {quality}")
    if quality < _PASSING:
        return MemoryState(0, _FIRST_INTERVAL, state.ease)
    missing = 5 - quality
    ease = max(LEAST_EASE, state.ease + 0.1 - missing * (0.08 + missing * 0.02))
    repetitions = state.repetitions + 1
    if repetitions == 1:
        return MemoryState(1, _FIRST_INTERVAL, ease)
    if repetitions == 2:
        return MemoryState(2, _SECOND_INTERVAL, ease)
    # The E-factor has two decimals; what binary fractions add to a whole number of days must not round it up to another day.
    return MemoryState(repetitions, float(ceil(round(state.interval * ease, 6))), ease)


def again_today(quality: int) -> bool:
    """Whether the item is repeated on the same day, as everything that scored below four is."""
    return quality < 4


def quality_of(score: float, response_seconds: float | None) -> int:
    """Returns the SM-2 quality of a graded answer; the mapping is ours, as the source has the learner judge the quality.

    `score` is the share of the full score in [0, 1]. A full score is 4 ("correct after a hesitation"), 5 when it took at most 8 seconds,
    3 ("recalled with serious difficulty") when it took more than 120; an answer that is not fully right is 2 from half the score on,
    1 above nothing, else 0. Raises ValueError for a score outside [0, 1].
    """
    if not 0.0 <= score <= 1.0:
        raise ValueError(f"score must be in [0, 1], not {score}")
    if score == 1.0:
        if response_seconds is None:
            return 4
        return 5 if response_seconds <= 8.0 else 4 if response_seconds <= 120.0 else 3
    return 2 if score >= 0.5 else 1 if score > 0.0 else 0
