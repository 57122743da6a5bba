"""Finds everything that keeps an item from being served and graded. What can be graded is known here and nowhere else."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from fractions import Fraction

from domain.assessment.model.grading import kind_of
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
from domain.assessment.model.numbers import LONGEST, LONGEST_UNIT, NotANumber, exact, plain_unit
from domain.assessment.model.texts import PatternMatcher, comparable
from domain.shared.errors import FieldViolation

STEM, TEXT, ID = 10_000, 2_000, 64
CHOICES, ENTRIES, GAPS = 50, 20, 20
HINTS, UNITS, FEEDBACKS = 10, 20, 50
ACCEPTED, ACCEPTED_LENGTH, PATTERNS, PATTERN_LENGTH = 100, 1_000, 20, 500

Faults = Iterator[FieldViolation]

GAP_MARK = re.compile(r"\{\{([^{}]*)\}\}")


def check(item: Item, patterns: PatternMatcher) -> list[FieldViolation]:
    """Every fault of the item's body and key, each with the field's path within the item. Empty: the item can be graded."""
    return list(_item(item, patterns))


def _item(item: Item, patterns: PatternMatcher) -> Faults:
    yield from _text("body.stem", item.body.stem, STEM, at_least=1)
    yield from _pair("body", item.body.interaction, "key", item.key.answer, patterns)
    if isinstance(item.body.interaction, ClozeInteraction):
        yield from _marks(item.body.stem, item.body.interaction)
    yield from _count("key.hints", item.key.hints, 0, HINTS)
    for number, hint in enumerate(item.key.hints):
        yield from _text(f"key.hints[{number}]", hint, TEXT, at_least=1)
    yield from _text("key.explanation", item.key.explanation, STEM)


def _pair(shown: str, body: Interaction | None, hidden: str, key: AnswerKey | None, patterns: PatternMatcher) -> Faults:
    """Faults of an interaction and of the key that has to fit it; `shown` and `hidden` are the paths of the two."""
    if body is None:
        yield FieldViolation(shown, "must have an interaction: choice, numeric, short_text, ordering, matching or cloze")
        return
    kind = kind_of(body)
    shown, wanted = f"{shown}.{kind}", f"{hidden}.{kind}"
    match body, key:
        case ChoiceInteraction(), ChoiceKey():
            yield from _choice(shown, body, wanted, key)
        case NumericInteraction(), NumericKey():
            yield from _numeric(shown, body, wanted, key)
        case ShortTextInteraction(), ShortTextKey():
            yield from _short_text(shown, body, wanted, key, patterns)
        case OrderingInteraction(), OrderingKey():
            yield from _ordering(shown, body, wanted, key)
        case MatchingInteraction(), MatchingKey():
            yield from _matching(shown, body, wanted, key)
        case ClozeInteraction(), ClozeKey():
            yield from _cloze(shown, body, wanted, key, patterns)
        case _:
            yield FieldViolation(wanted, "must be given: the key is of the same kind as the interaction")


def _choice(shown: str, body: ChoiceInteraction, hidden: str, key: ChoiceKey) -> Faults:
    yield from _options(f"{shown}.choices", body.choices, 2, CHOICES)
    known = {each.id for each in body.choices}
    yield from _ids(f"{hidden}.correct", key.correct, known)
    if body.multiple and not key.correct:
        yield FieldViolation(f"{hidden}.correct", "must name at least one correct choice")
    if not body.multiple and len(key.correct) != 1:
        yield FieldViolation(f"{hidden}.correct", "must name exactly one choice unless several may be chosen")
    for choice, text in key.feedback.items():
        if choice not in known:
            yield FieldViolation(f"{hidden}.feedback", f"must be about choices of the item, not {choice[:ID]!r}")
        yield from _text(f"{hidden}.feedback.{choice[:ID]}", text, TEXT, at_least=1)


def _numeric(shown: str, body: NumericInteraction, hidden: str, key: NumericKey) -> Faults:
    yield from _count(f"{shown}.units", body.units, 0, UNITS)
    yield from _units(f"{shown}.units", body.units)
    yield from _number(f"{hidden}.value", key.value)
    if key.tolerance:
        yield from _number(f"{hidden}.tolerance", key.tolerance, least=Fraction(0))
    yield from _count(f"{hidden}.units", key.units, 0, UNITS)
    yield from _units(f"{hidden}.units", key.units)
    for unit, factor in key.units.items():
        yield from _number(f"{hidden}.units.{unit[:LONGEST_UNIT]}", factor, positive=True)
    offered, accepted = ({plain_unit(each) for each in units} for units in (body.units, key.units))
    if bool(offered) != bool(accepted):
        yield FieldViolation(f"{hidden}.units", "must be given if and only if the interaction offers units")
    elif offered and not offered & accepted:
        yield FieldViolation(f"{hidden}.units", "must accept at least one of the units that the interaction offers")
    yield from _count(f"{hidden}.feedback", key.feedback, 0, FEEDBACKS)
    for wrong, text in key.feedback.items():
        yield from _number(f"{hidden}.feedback", wrong)
        yield from _text(f"{hidden}.feedback.{wrong[:LONGEST]}", text, TEXT, at_least=1)


def _short_text(shown: str, body: ShortTextInteraction, hidden: str, key: ShortTextKey, patterns: PatternMatcher) -> Faults:
    if not 0 <= body.max_length <= ACCEPTED_LENGTH:
        yield FieldViolation(f"{shown}.max_length", f"must be between 0 and {ACCEPTED_LENGTH}")
    if not key.accepted and not key.patterns:
        yield FieldViolation(f"{hidden}.accepted", "must hold a text, unless there are patterns")
    yield from _count(f"{hidden}.accepted", key.accepted, 0, ACCEPTED)
    for number, text in enumerate(key.accepted):
        yield from _text(f"{hidden}.accepted[{number}]", text, min(max(body.longest, 1), ACCEPTED_LENGTH), at_least=1)
        if text and not comparable(text, key.case_sensitive):
            yield FieldViolation(f"{hidden}.accepted[{number}]", "must be more than white space")
    yield from _count(f"{hidden}.patterns", key.patterns, 0, PATTERNS)
    for number, pattern in enumerate(key.patterns):
        faults = list(_text(f"{hidden}.patterns[{number}]", pattern, PATTERN_LENGTH, at_least=1))
        yield from faults
        if not faults and (fault := patterns.fault(pattern)):
            yield FieldViolation(f"{hidden}.patterns[{number}]", f"must be a pattern in RE2 syntax: {fault}")
    yield from _count(f"{hidden}.feedback", key.feedback, 0, FEEDBACKS)
    for wrong, text in key.feedback.items():
        yield from _text(f"{hidden}.feedback", wrong, ACCEPTED_LENGTH)
        yield from _text(f"{hidden}.feedback.{wrong[:ID]}", text, TEXT, at_least=1)


def _ordering(shown: str, body: OrderingInteraction, hidden: str, key: OrderingKey) -> Faults:
    yield from _options(f"{shown}.entries", body.entries, 2, ENTRIES)
    yield from _ids(f"{hidden}.order", key.order, {each.id for each in body.entries})
    if len(key.order) != len(body.entries):
        yield FieldViolation(f"{hidden}.order", "must hold every entry once")


def _matching(shown: str, body: MatchingInteraction, hidden: str, key: MatchingKey) -> Faults:
    yield from _options(f"{shown}.sources", body.sources, 2, ENTRIES)
    yield from _options(f"{shown}.targets", body.targets, 2, CHOICES)
    sources, targets = {each.id for each in body.sources}, {each.id for each in body.targets}
    yield from _same(f"{hidden}.matches", key.matches, sources, "source")
    for source, target in key.matches.items():
        if target not in targets:
            yield FieldViolation(f"{hidden}.matches.{source[:ID]}", f"must be a target of the item, not {target[:ID]!r}")


def _cloze(shown: str, body: ClozeInteraction, hidden: str, key: ClozeKey, patterns: PatternMatcher) -> Faults:
    yield from _count(f"{shown}.gaps", body.gaps, 1, GAPS)
    yield from _unique(f"{shown}.gaps", [each.id for each in body.gaps])
    yield from _same(f"{hidden}.gaps", key.gaps, {each.id for each in body.gaps}, "gap")
    for number, gap in enumerate(body.gaps):
        yield from _gap(f"{shown}.gaps[{number}]", gap)
        if gap.id in key.gaps:
            yield from _pair(
                f"{shown}.gaps[{number}]", gap.interaction, f"{hidden}.gaps.{gap.id[:ID]}", key.gaps[gap.id], patterns
            )


def _gap(path: str, gap: Gap) -> Faults:
    yield from _text(f"{path}.id", gap.id, ID, at_least=1)
    if set(gap.id) & set("{}"):
        yield FieldViolation(f"{path}.id", "must not hold braces, which mark gaps in the stem")
    if isinstance(gap.interaction, ChoiceInteraction) and gap.interaction.multiple:
        yield FieldViolation(f"{path}.choice.multiple", "must be false: a gap is filled by one choice")


def _marks(stem: str, body: ClozeInteraction) -> Faults:
    """Each gap is marked in the stem once, and nothing else is."""
    marked, gaps = Counter(GAP_MARK.findall(stem)), {each.id for each in body.gaps}
    for gap in sorted(gaps):
        if marked[gap] != 1:
            yield FieldViolation("body.stem", f"must mark the gap {gap[:ID]!r} once, as {{{{{gap[:ID]}}}}}")
    for mark in sorted(marked.keys() - gaps):
        yield FieldViolation("body.stem", f"must not mark {mark[:ID]!r}, which is no gap of the item")


def _options(path: str, options: tuple[Option, ...], least: int, most: int) -> Faults:
    yield from _count(path, options, least, most)
    yield from _unique(path, [each.id for each in options])
    for number, option in enumerate(options):
        yield from _text(f"{path}[{number}].id", option.id, ID, at_least=1)
        yield from _text(f"{path}[{number}].text", option.text, TEXT, at_least=1)


def _ids(path: str, ids: tuple[str, ...], known: set[str]) -> Faults:
    yield from _unique(path, ids)
    for each in sorted(set(ids) - known):
        yield FieldViolation(path, f"must hold ids of the item only, not {each[:ID]!r}")


def _same(path: str, keys: Collection[str], known: set[str], noun: str) -> Faults:
    for each in sorted(known - set(keys)):
        yield FieldViolation(path, f"must hold every {noun}; {each[:ID]!r} is missing")
    for each in sorted(set(keys) - known):
        yield FieldViolation(path, f"must hold no {noun} that the item lacks, such as {each[:ID]!r}")


def _unique(path: str, ids: Iterable[str]) -> Faults:
    for each, count in Counter(ids).items():
        if count > 1:
            yield FieldViolation(path, f"must not hold {each[:ID]!r} twice")


def _units(path: str, units: Collection[str]) -> Faults:
    yield from _unique(path, [plain_unit(each) for each in units])
    for unit in units:
        yield from _text(f"{path}.{unit[:LONGEST_UNIT]}", plain_unit(unit), LONGEST_UNIT, at_least=1)


def _number(path: str, text: str, least: Fraction | None = None, positive: bool = False) -> Faults:
    try:
        value = exact(text).value
    except NotANumber as fault:
        yield FieldViolation(path, str(fault))
        return
    if least is not None and value < least:
        yield FieldViolation(path, f"must be at least {least}")
    if positive and value <= 0:
        yield FieldViolation(path, "must be greater than 0")


def _text(path: str, text: str, at_most: int, at_least: int = 0) -> Faults:
    if not at_least <= len(text) <= at_most:
        yield FieldViolation(
            path, f"must be {at_least} to {at_most} characters" if at_least else f"must be at most {at_most} characters"
        )
    if "\0" in text:
        yield FieldViolation(path, "must not hold the character NUL")


def _count(path: str, many: Collection[object], least: int, most: int) -> Faults:
    if not least <= len(many) <= most:
        yield FieldViolation(path, f"must hold {least} to {most}")
