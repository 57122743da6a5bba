"""Percentiles: what share of a reference population lies below an ability."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from statistics import NormalDist

from domain.shared.errors import FieldViolation

MOST_ROWS = 1_000
FURTHEST = 10.0


@dataclass(frozen=True, slots=True)
class Prior:
    """A normal distribution of ability, in logits."""

    mean: float = 0.0
    deviation: float = 1.0

    def faults(self, field: str) -> Iterator[FieldViolation]:
        if not abs(self.mean) <= FURTHEST:
            yield FieldViolation(f"{field}.mean", f"must be from -{FURTHEST:g} to {FURTHEST:g}")
        if not 0 < self.deviation <= FURTHEST:
            yield FieldViolation(f"{field}.deviation", f"must be above 0 and at most {FURTHEST:g}")


UNKNOWN = Prior()
"""Of a learner of whom nothing is known: the population that items are calibrated on."""


@dataclass(frozen=True, slots=True)
class NormalNorm:
    """The reference population is normal."""

    population: Prior

    def percentile(self, ability: float) -> float:
        """In percent, 0 to 100."""
        return 100 * NormalDist(self.population.mean, self.population.deviation).cdf(ability)

    def faults(self) -> Iterator[FieldViolation]:
        return self.population.faults("norm.normal")


@dataclass(frozen=True, slots=True)
class TableNorm:
    """Rows of ability and percentile, rising in both; linear between them, level outside."""

    rows: tuple[tuple[float, float], ...]

    def percentile(self, ability: float) -> float:
        """In percent, 0 to 100."""
        above = bisect_right(self.rows, ability, key=lambda row: row[0])
        if above in (0, len(self.rows)):
            return self.rows[min(above, len(self.rows) - 1)][1]
        (low, below), (high, least_above) = self.rows[above - 1 : above + 1]
        return below + (least_above - below) * (ability - low) / (high - low)

    def faults(self) -> Iterator[FieldViolation]:
        if not 2 <= len(self.rows) <= MOST_ROWS:
            yield FieldViolation("norm.table.rows", f"must hold 2 to {MOST_ROWS:,} rows")
        for place, (ability, percentile) in enumerate(self.rows):
            if not isfinite(ability):
                yield FieldViolation(f"norm.table.rows[{place}].ability", "must be a number")
            if not 0 <= percentile <= 100:
                yield FieldViolation(f"norm.table.rows[{place}].percentile", "must be from 0 to 100")
        for place, (first, second) in enumerate(pairwise(self.rows), 1):
            if not (first[0] < second[0] and first[1] <= second[1]):
                yield FieldViolation(f"norm.table.rows[{place}]", "must lie above the row before, in ability and percentile")
                return


Norm = NormalNorm | TableNorm
