"""An answer as the learner gave it; of the same kind as the item's interaction, or it is refused."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChoiceAnswer:
    """Choice ids; empty when none was chosen."""

    chosen: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NumericAnswer:
    """The number as entered; the unit apart from it, or written after it."""

    value: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class ShortTextAnswer:
    text: str


@dataclass(frozen=True, slots=True)
class OrderingAnswer:
    """Every entry id once, first to last."""

    order: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MatchingAnswer:
    """Target id by source id; a source left out is unmatched."""

    matches: Mapping[str, str]


GapAnswer = ChoiceAnswer | NumericAnswer | ShortTextAnswer


@dataclass(frozen=True, slots=True)
class ClozeAnswer:
    """Answer by gap id; a gap left out is empty. None stands for an answer without a kind, which is refused."""

    gaps: Mapping[str, GapAnswer | None]


Answer = GapAnswer | OrderingAnswer | MatchingAnswer | ClozeAnswer

KIND: dict[type, str] = {
    ChoiceAnswer: "choice",
    NumericAnswer: "numeric",
    ShortTextAnswer: "short_text",
    OrderingAnswer: "ordering",
    MatchingAnswer: "matching",
    ClozeAnswer: "cloze",
}
"""The contract's name of each kind, for the paths of fields."""
