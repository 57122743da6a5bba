"""An item as it is served and graded: what the learner sees, and apart from it the key.

The shapes are those of the contract (`catalog/v1/item.proto`). An item read from outside may be faulty (no interaction, a key
of another kind): `checking.check` finds that; grading and presenting expect an item without faults.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

SHORT_TEXT_DEFAULT_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Option:
    """A choice, an entry to order, a source or a target. `id` is unique within its list."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class ChoiceInteraction:
    choices: tuple[Option, ...]
    multiple: bool = False
    fixed_order: bool = False


@dataclass(frozen=True, slots=True)
class NumericInteraction:
    """`units` are what the learner may choose from; empty when the number has none."""

    units: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ShortTextInteraction:
    """`max_length` in characters; 0 stands for the default."""

    max_length: int = 0

    @property
    def longest(self) -> int:
        return self.max_length or SHORT_TEXT_DEFAULT_LENGTH


@dataclass(frozen=True, slots=True)
class OrderingInteraction:
    entries: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class MatchingInteraction:
    sources: tuple[Option, ...]
    targets: tuple[Option, ...]


GapInteraction = ChoiceInteraction | NumericInteraction | ShortTextInteraction


@dataclass(frozen=True, slots=True)
class Gap:
    id: str
    interaction: GapInteraction | None


@dataclass(frozen=True, slots=True)
class ClozeInteraction:
    """The stem marks each gap as `{{gap-id}}`."""

    gaps: tuple[Gap, ...]


Interaction = GapInteraction | OrderingInteraction | MatchingInteraction | ClozeInteraction


@dataclass(frozen=True, slots=True)
class Body:
    stem: str
    interaction: Interaction | None


@dataclass(frozen=True, slots=True)
class ChoiceKey:
    """`feedback` by choice id, for a learner who chose it."""

    correct: tuple[str, ...]
    partial_credit: bool = False
    feedback: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NumericKey:
    """Numbers as texts, exact. `units` holds the factor that turns a number in that unit into the unit of `value`."""

    value: str
    tolerance: str = ""
    units: Mapping[str, str] = field(default_factory=dict)
    lowest_terms: bool = False
    feedback: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ShortTextKey:
    accepted: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    case_sensitive: bool = False
    feedback: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OrderingKey:
    """`order` holds entry ids, first to last."""

    order: tuple[str, ...]
    partial_credit: bool = False


@dataclass(frozen=True, slots=True)
class MatchingKey:
    """`matches` holds the target id of every source id."""

    matches: Mapping[str, str]
    partial_credit: bool = False


GapKey = ChoiceKey | NumericKey | ShortTextKey


@dataclass(frozen=True, slots=True)
class ClozeKey:
    """`gaps` holds the key of every gap id; None for a key that was left empty."""

    gaps: Mapping[str, GapKey | None]
    partial_credit: bool = False


AnswerKey = GapKey | OrderingKey | MatchingKey | ClozeKey


@dataclass(frozen=True, slots=True)
class Key:
    answer: AnswerKey | None
    hints: tuple[str, ...] = ()
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One immutable revision. `id` and `skills` are bare ids."""

    id: str
    revision: int
    skills: tuple[str, ...]
    body: Body
    key: Key
