"""Content balance: how many items of each content area a test has, within bounds that its author gave.

Shares depend on a length that an adaptive test does not know before its end. So every item is chosen such that the bounds can still be
met at the longest length and, where that is possible, at the nearest length at which the test may end: a precise test rarely has to go on
for the sake of balance. An item belongs to one area only, which makes both questions exact sums.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

_ROUNDING = 1e-9  # 0.3 of 10 items are 3, whatever binary fractions make of it


@dataclass(frozen=True, slots=True)
class ContentArea:
    """Bounds for the items of one skill (a bare id). Shares are of the test's length."""

    skill: str
    min_share: float = 0.0
    max_share: float = 1.0
    min_count: int = 0
    max_count: int | None = None

    def least(self, length: int) -> int:
        """The fewest items of the area in a test of that length."""
        return max(self.min_count, ceil(self.min_share * length - _ROUNDING))

    def most(self, length: int) -> int:
        """The most items of the area in a test of that length."""
        share = floor(self.max_share * length + _ROUNDING)
        return share if self.max_count is None else min(self.max_count, share)


@dataclass(frozen=True, slots=True)
class Balance:
    """The areas of a test, and how many items of its pool each has."""

    areas: tuple[ContentArea, ...]
    sizes: tuple[int, ...]

    def reachable(self, counts: Sequence[int], length: int) -> bool:
        """Whether a test that has so many items of each area can still meet all bounds at that length."""
        least = [area.least(length) for area in self.areas]
        most = [min(area.most(length), size) for area, size in zip(self.areas, self.sizes, strict=True)]
        left = length - sum(counts)
        within = all(count <= high and low <= high for count, low, high in zip(counts, least, most, strict=True))
        owed = sum(max(0, low - count) for count, low in zip(counts, least, strict=True))
        return within and owed <= left <= sum(most) - sum(counts)

    def holds(self, counts: Sequence[int]) -> bool:
        """Whether a test with so many items of each area meets all bounds."""
        return self.reachable(counts, sum(counts))

    def open_areas(self, counts: Sequence[int], min_length: int, max_length: int) -> list[int]:
        """The areas that the next item may come from. Not empty if the bounds are reachable at `max_length`."""
        possible = [area for area in range(len(self.areas)) if self.reachable(_with(counts, area), max_length)]
        for length in range(max(min_length, sum(counts) + 1), max_length):
            if near := [area for area in possible if self.reachable(_with(counts, area), length)]:
                return near
        return possible


def _with(counts: Sequence[int], area: int) -> list[int]:
    return [count + (place == area) for place, count in enumerate(counts)]
