"""Many sequences of different lengths, step by step: the layout in which a recursion over all of them is one pass of numpy a step.

All sequences' first elements come first, then all second ones, and so on, the longest sequence first in each step: so the sequences that
go on are the first ones of the step before, and what a step computes of it is a slice. Nothing is padded.
"""

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Integers: TypeAlias = NDArray[np.int64]


class Steps(NamedTuple):
    """Where the elements of sequences stand, n elements in all.

    `place` (n,): of each element in the order of steps, its place when the sequences lie one after another. `sequence` (n,): the sequence
    it belongs to. `begins`: the first element of each step, and n; there is always a first step.
    """

    place: Integers
    sequence: Integers
    begins: tuple[int, ...]

    @classmethod
    def of(cls, lengths: ArrayLike) -> "Steps":
        """Returns the layout of sequences of these lengths (each at least 1), that lie one after another."""
        length = np.asarray(lengths, dtype=np.int64)
        if length.ndim != 1 or (length < 1).any():
            raise ValueError("every sequence needs at least one element")
        longest_first = np.argsort(-length, kind="stable")
        counts = length[longest_first]
        sequence = np.repeat(longest_first, counts)
        step = np.arange(len(sequence)) - np.repeat(np.cumsum(counts) - counts, counts)
        place = (np.cumsum(length) - length)[sequence] + step
        in_steps = np.argsort(step, kind="stable")
        ends = np.cumsum(np.bincount(step, minlength=1))
        return cls(place[in_steps], sequence[in_steps], (0, *ends.tolist()))

    def forward(self) -> Iterator[tuple[slice, slice]]:
        """Yields each step from the second on, with the elements just before its own."""
        for before, begin, end in zip(self.begins, self.begins[1:], self.begins[2:], strict=False):
            yield slice(begin, end), slice(before, before + end - begin)

    def backward(self) -> Iterator[tuple[slice, slice]]:
        """Yields the same, from the last step to the second."""
        return iter(list(self.forward())[::-1])


def first_of_each(lengths: Integers, most: int) -> NDArray[np.bool_]:
    """Returns a mask of shape (n,) of the first `most` elements of each sequence, that lie one after another."""
    step = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.asarray(step < most)
