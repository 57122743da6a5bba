"""Finds what keeps items from being served and graded."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.assessment.model.checking import check
from domain.assessment.model.items import Item
from domain.assessment.model.texts import PatternMatcher
from domain.shared.errors import FieldViolation, InvalidInput

MOST = 500


@dataclass(frozen=True, slots=True)
class CheckItems:
    patterns: PatternMatcher

    def __call__(self, items: Sequence[Item]) -> list[tuple[int, FieldViolation]]:
        """Every fault with the index of its item."""
        if not 1 <= len(items) <= MOST:
            raise InvalidInput.of("items", f"must hold 1 to {MOST} items")
        return [(index, fault) for index, item in enumerate(items) for fault in check(item, self.patterns)]
