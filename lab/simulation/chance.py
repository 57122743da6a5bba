"""Luck that is a function of what it is for.

A learner who practises a skill for the n-th time has the same luck whichever policy brought it about, so that policies are compared on
equal luck (common random numbers), and it does not matter which learners are simulated together or in how many processes.
"""

from enum import IntEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.intp]


class Luck(IntEnum):
    """What a random number is for."""

    ANSWER = 1
    LEARN = 2
    FORGET = 3
    TIME = 4
    GAP = 5
    PICK = 6


def uniform(seed: int, luck: Luck, *of: Integers | int) -> Floats:
    """Returns uniform numbers in (0, 1), one for each element of the broadcast integers `of`.

    The finalizer of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators") over each integer in turn.
    """
    state: NDArray[np.uint64] = np.asarray((seed * 0x9E3779B97F4A7C15 + luck * 0xD1B54A32D192ED03) % 2**64, dtype=np.uint64)
    for each in of:
        state = _mixed(state ^ (np.asarray(each).astype(np.uint64) + _STEP))
    return np.asarray((state >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


_STEP = np.uint64(0x9E3779B97F4A7C15)


def _mixed(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        value = value * np.uint64(0x9E3779B97F4A7C15) + _STEP
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(value ^ (value >> np.uint64(31)))
