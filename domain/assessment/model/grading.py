"""Grades an answer by the item's key: exact, deterministic, and bounded in time whatever the learner sent."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction

from domain.assessment.model.answers import (
    KIND,
    Answer,
    ChoiceAnswer,
    ClozeAnswer,
    GapAnswer,
    MatchingAnswer,
    NumericAnswer,
    OrderingAnswer,
    ShortTextAnswer,
)
from domain.assessment.model.items import (
    AnswerKey,
    ChoiceInteraction,
    ChoiceKey,
    ClozeInteraction,
    ClozeKey,
    Gap,
    Interaction,
    Item,
    MatchingInteraction,
    MatchingKey,
    NumericInteraction,
    NumericKey,
    Option,
    OrderingInteraction,
    OrderingKey,
    ShortTextInteraction,
    ShortTextKey,
)
from domain.assessment.model.numbers import LONGEST_UNIT, NotANumber, exact, number_and_unit, plain_unit
from domain.assessment.model.texts import PatternMatcher, comparable, folded
from domain.shared.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Grade:
    """`score` is the share of the full score, in [0, 1]; `correct` says that it is full."""

    score: Fraction
    feedback: tuple[str, ...] = ()

    @property
    def correct(self) -> bool:
        return self.score == 1


def grade(item: Item, answer: Answer | None, patterns: PatternMatcher) -> Grade:
    """Grades an answer to an item without faults. Raises InvalidInput, naming the field, for an answer that is not of the item's
    kind or cannot be read: it does not count, and the learner can correct it."""
    return _grade(item.body.interaction, item.key.answer, answer, "answer", patterns)


def _grade(
    interaction: Interaction | None, key: AnswerKey | None, answer: Answer | None, field: str, patterns: PatternMatcher
) -> Grade:
    path = f"{field}.{KIND[type(answer)]}" if answer is not None else field
    match interaction, key, answer:
        case ChoiceInteraction(), ChoiceKey(), ChoiceAnswer():
            return _choice(interaction, key, answer, f"{path}.chosen")
        case NumericInteraction(), NumericKey(), NumericAnswer():
            return _numeric(key, answer, path)
        case ShortTextInteraction(), ShortTextKey(), ShortTextAnswer():
            return _short_text(interaction, key, answer, f"{path}.text", patterns)
        case OrderingInteraction(), OrderingKey(), OrderingAnswer():
            return _ordering(interaction, key, answer, f"{path}.order")
        case MatchingInteraction(), MatchingKey(), MatchingAnswer():
            return _matching(interaction, key, answer, f"{path}.matches")
        case ClozeInteraction(), ClozeKey(), ClozeAnswer():
            return _cloze(interaction, key, answer, f"{path}.gaps", patterns)
    raise InvalidInput.of(path, f"must be an answer of the kind {kind_of(interaction)}")


def kind_of(interaction: Interaction | None) -> str:
    """The contract's name of the kind."""
    return next((name for kind, name in _KINDS.items() if isinstance(interaction, kind)), "that the item asks for")


_KINDS: dict[type, str] = {
    ChoiceInteraction: "choice",
    NumericInteraction: "numeric",
    ShortTextInteraction: "short_text",
    OrderingInteraction: "ordering",
    MatchingInteraction: "matching",
    ClozeInteraction: "cloze",
}


def _choice(interaction: ChoiceInteraction, key: ChoiceKey, answer: ChoiceAnswer, field: str) -> Grade:
    _known(answer.chosen, interaction.choices, field)
    if not interaction.multiple and len(answer.chosen) > 1:
        raise InvalidInput.of(field, "must be one choice, or none")
    chosen, correct = set(answer.chosen), set(key.correct)
    score = _all_or_nothing(chosen == correct)
    if key.partial_credit:
        score = max(Fraction(0), Fraction(len(chosen & correct) - len(chosen - correct), len(correct)))
    # In the item's own order, whatever the order in which the learner chose.
    return Grade(score, tuple(key.feedback[each.id] for each in interaction.choices if each.id in chosen & key.feedback.keys()))


def _numeric(key: NumericKey, answer: NumericAnswer, path: str) -> Grade:
    if len(answer.unit) > LONGEST_UNIT:
        raise InvalidInput.of(f"{path}.unit", f"must be at most {LONGEST_UNIT} characters")
    try:
        number, written = number_and_unit(answer.value)
    except NotANumber as fault:
        raise InvalidInput.of(f"{path}.value", str(fault)) from None
    named = plain_unit(answer.unit)
    if named and written and named != written:
        raise InvalidInput.of(f"{path}.unit", f"must agree with the unit written after the number, {written}")
    factor = _factor(key, named or written)
    value = number.value * (1 if factor is None else factor)
    tolerance = exact(key.tolerance).value if key.tolerance else Fraction(0)
    near = abs(value - exact(key.value).value) <= tolerance
    if near and factor is not None and (number.lowest_terms or not key.lowest_terms):
        return Grade(Fraction(1))
    return Grade(Fraction(0), _first(key.feedback, lambda wrong: exact(wrong).value == value))


def _factor(key: NumericKey, unit: str) -> Fraction | None:
    """The factor of the unit; None if the key does not accept it."""
    if not key.units:
        return None if unit else Fraction(1)
    return next((exact(factor).value for each, factor in key.units.items() if plain_unit(each) == unit), None)


def _short_text(
    interaction: ShortTextInteraction, key: ShortTextKey, answer: ShortTextAnswer, field: str, patterns: PatternMatcher
) -> Grade:
    if len(answer.text) > interaction.longest:
        raise InvalidInput.of(field, f"must be at most {interaction.longest} characters")
    given = comparable(answer.text, key.case_sensitive)
    if any(comparable(each, key.case_sensitive) == given for each in key.accepted):
        return Grade(Fraction(1))
    # Patterns fold case themselves: folding the text would turn letters (ß to ss) that the pattern spells out.
    text = folded(answer.text)
    if any(patterns.matches(each, text, key.case_sensitive) for each in key.patterns):
        return Grade(Fraction(1))
    return Grade(Fraction(0), _first(key.feedback, lambda wrong: comparable(wrong, key.case_sensitive) == given))


def _ordering(interaction: OrderingInteraction, key: OrderingKey, answer: OrderingAnswer, field: str) -> Grade:
    _known(answer.order, interaction.entries, field)
    if len(answer.order) != len(interaction.entries):
        raise InvalidInput.of(field, f"must hold every one of the {len(interaction.entries)} entries once")
    if not key.partial_credit:
        return Grade(_all_or_nothing(answer.order == key.order))
    rank = {entry: place for place, entry in enumerate(key.order)}
    ranks = [rank[entry] for entry in answer.order]
    pairs = [(first, second) for place, first in enumerate(ranks) for second in ranks[place + 1 :]]
    return Grade(Fraction(sum(first < second for first, second in pairs), len(pairs)))


def _matching(interaction: MatchingInteraction, key: MatchingKey, answer: MatchingAnswer, field: str) -> Grade:
    _known(tuple(answer.matches), interaction.sources, field)
    targets = {each.id for each in interaction.targets}
    for source, target in answer.matches.items():
        if target not in targets:
            raise InvalidInput.of(f"{field}.{source}", "must be one of the item's targets")
    right = sum(answer.matches.get(source) == target for source, target in key.matches.items())
    return Grade(_share(right, len(key.matches), key.partial_credit))


def _cloze(interaction: ClozeInteraction, key: ClozeKey, answer: ClozeAnswer, field: str, patterns: PatternMatcher) -> Grade:
    _known(tuple(answer.gaps), interaction.gaps, field)
    grades = [
        _grade(gap.interaction, key.gaps.get(gap.id), _filled(answer, gap), f"{field}.{gap.id}", patterns)
        for gap in interaction.gaps
        if gap.id in answer.gaps
    ]
    score = _share(sum(each.correct for each in grades), len(interaction.gaps), key.partial_credit)
    return Grade(score, tuple(text for each in grades for text in each.feedback))


def _filled(answer: ClozeAnswer, gap: Gap) -> GapAnswer | None:
    return answer.gaps[gap.id]


def _known(ids: Collection[str], options: Collection[Option | Gap], field: str) -> None:
    known = {each.id for each in options}
    for each in ids:
        if each not in known:
            raise InvalidInput.of(field, f"must hold ids of the item only, not {each[:64]!r}")
    if len(set(ids)) != len(ids):
        raise InvalidInput.of(field, "must not hold an id twice")


def _first(feedback: Mapping[str, str], fits: Callable[[str], bool]) -> tuple[str, ...]:
    return next(((text,) for wrong, text in feedback.items() if fits(wrong)), ())


def _share(right: int, whole: int, partial_credit: bool) -> Fraction:
    return Fraction(right, whole) if partial_credit else _all_or_nothing(right == whole)


def _all_or_nothing(right: bool) -> Fraction:
    return Fraction(1) if right else Fraction(0)
