from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.assessment.re2 import Re2PatternMatcher
from domain.assessment.model.checking import check
from domain.assessment.model.items import (
    ChoiceInteraction,
    ChoiceKey,
    ClozeInteraction,
    ClozeKey,
    Gap,
    Key,
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
from tests.unit.assessment import examples
from tests.unit.assessment.examples import CORRECT, SINGLE, item, options

PATTERNS = Re2PatternMatcher()
TWO = options("a", "b")


def fields(question):
    return {each.field for each in check(question, PATTERNS)}


def cloze(*gaps, keys, stem="{{g}}"):
    return item(ClozeInteraction(gaps), ClozeKey(keys), stem=stem)


@pytest.mark.parametrize(
    ("question", "field"),
    [
        (item(None, ChoiceKey(("a",))), "body"),
        (item(ChoiceInteraction(TWO), None), "key.choice"),
        (item(ChoiceInteraction(TWO), NumericKey("1")), "key.choice"),
        (item(ChoiceInteraction(TWO), ChoiceKey(("a",)), stem=""), "body.stem"),
        (item(ChoiceInteraction(TWO), ChoiceKey(("a",)), stem="x" * 10_001), "body.stem"),
        (item(ChoiceInteraction(TWO), ChoiceKey(("a",)), stem="x\0"), "body.stem"),
        (item(ChoiceInteraction(options("a")), ChoiceKey(("a",))), "body.choice.choices"),
        (item(ChoiceInteraction(options("a", "a")), ChoiceKey(("a",))), "body.choice.choices"),
        (item(ChoiceInteraction((Option("a", ""), Option("b", "b"))), ChoiceKey(("a",))), "body.choice.choices[0].text"),
        (item(ChoiceInteraction((Option("a" * 65, "a"), Option("b", "b"))), ChoiceKey(("b",))), "body.choice.choices[0].id"),
        (item(ChoiceInteraction(TWO), ChoiceKey(())), "key.choice.correct"),
        (item(ChoiceInteraction(TWO), ChoiceKey(("a", "b"))), "key.choice.correct"),
        (item(ChoiceInteraction(TWO, multiple=True), ChoiceKey(())), "key.choice.correct"),
        (item(ChoiceInteraction(TWO), ChoiceKey(("z",))), "key.choice.correct"),
        (item(ChoiceInteraction(TWO), ChoiceKey(("a",), feedback={"z": "?"})), "key.choice.feedback"),
        (item(ChoiceInteraction(TWO), ChoiceKey(("a",), feedback={"a": ""})), "key.choice.feedback.a"),
        (item(NumericInteraction(), NumericKey("")), "key.numeric.value"),
        (item(NumericInteraction(), NumericKey("1/0")), "key.numeric.value"),
        (item(NumericInteraction(), NumericKey("1", "-1")), "key.numeric.tolerance"),
        (item(NumericInteraction(), NumericKey("1", "x")), "key.numeric.tolerance"),
        (item(NumericInteraction(("m",)), NumericKey("1")), "key.numeric.units"),
        (item(NumericInteraction(), NumericKey("1", units={"m": "1"})), "key.numeric.units"),
        (item(NumericInteraction(("kg",)), NumericKey("1", units={"m": "1"})), "key.numeric.units"),
        (item(NumericInteraction(("m",)), NumericKey("1", units={"m": "0"})), "key.numeric.units.m"),
        (item(NumericInteraction(("m",)), NumericKey("1", units={"m": "1", " m": "2"})), "key.numeric.units"),
        (item(NumericInteraction(), NumericKey("1", feedback={"x": "?"})), "key.numeric.feedback"),
        (item(ShortTextInteraction(), ShortTextKey()), "key.short_text.accepted"),
        (item(ShortTextInteraction(), ShortTextKey((" ",))), "key.short_text.accepted[0]"),
        (item(ShortTextInteraction(3), ShortTextKey(("four",))), "key.short_text.accepted[0]"),
        (item(ShortTextInteraction(1001), ShortTextKey(("a",))), "body.short_text.max_length"),
        (item(ShortTextInteraction(-1), ShortTextKey(("a",))), "body.short_text.max_length"),
        (item(ShortTextInteraction(), ShortTextKey((), ("(",))), "key.short_text.patterns[0]"),
        (item(ShortTextInteraction(), ShortTextKey((), (r"(a)\1",))), "key.short_text.patterns[0]"),
        (item(ShortTextInteraction(), ShortTextKey((), ("((a{100}){100}){100}",))), "key.short_text.patterns[0]"),
        (item(OrderingInteraction(TWO), OrderingKey(("a",))), "key.ordering.order"),
        (item(OrderingInteraction(TWO), OrderingKey(("a", "a"))), "key.ordering.order"),
        (item(OrderingInteraction(options("a")), OrderingKey(("a",))), "body.ordering.entries"),
        (item(MatchingInteraction(TWO, TWO), MatchingKey({"a": "a"})), "key.matching.matches"),
        (item(MatchingInteraction(TWO, TWO), MatchingKey({"a": "a", "b": "z"})), "key.matching.matches.b"),
        (item(MatchingInteraction(TWO, TWO), MatchingKey({"a": "a", "b": "b", "z": "a"})), "key.matching.matches"),
        (cloze(keys={}, stem="no gap"), "body.cloze.gaps"),
        (cloze(Gap("g", NumericInteraction()), keys={}), "key.cloze.gaps"),
        (cloze(Gap("g", NumericInteraction()), keys={"g": None}), "key.cloze.gaps.g.numeric"),
        (cloze(Gap("g", None), keys={"g": NumericKey("1")}), "body.cloze.gaps[0]"),
        (cloze(Gap("g", NumericInteraction()), keys={"g": NumericKey("1")}, stem="no gap"), "body.stem"),
        (cloze(Gap("g", NumericInteraction()), keys={"g": NumericKey("1")}, stem="{{g}} {{g}}"), "body.stem"),
        (cloze(Gap("g", NumericInteraction()), keys={"g": NumericKey("1")}, stem="{{g}} {{h}}"), "body.stem"),
        (
            cloze(Gap("g", ChoiceInteraction(TWO, multiple=True)), keys={"g": ChoiceKey(("a",))}),
            "body.cloze.gaps[0].choice.multiple",
        ),
        (replace(SINGLE, key=replace(SINGLE.key, hints=("h",) * 11)), "key.hints"),
        (replace(SINGLE, key=replace(SINGLE.key, hints=("",))), "key.hints[0]"),
        (replace(SINGLE, key=replace(SINGLE.key, explanation="x" * 10_001)), "key.explanation"),
    ],
)
def test_a_fault_is_named_by_its_field(question, field):
    assert fields(question) == {field}


def test_every_fault_is_found_at_once():
    question = item(ChoiceInteraction(options("a", "a")), ChoiceKey(("z",)), stem="")
    assert fields(question) == {"body.stem", "body.choice.choices", "key.choice.correct"}


interactions = st.one_of(
    examples.choices(), examples.numerics(), examples.short_texts(), examples.orderings(), examples.matchings()
)


@given(interactions, interactions)
def test_a_key_made_for_another_item_never_breaks_the_check(shown, hidden):
    for fault in check(item(shown[0], hidden[1]), PATTERNS):
        assert fault.field
        assert fault.description


@pytest.mark.parametrize("kind", CORRECT)
def test_an_empty_key_is_a_fault_of_every_kind(kind):
    question = CORRECT[kind][0]
    assert any(each.startswith("key.") for each in fields(replace(question, key=Key(None))))
