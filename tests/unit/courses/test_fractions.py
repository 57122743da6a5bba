"""The sample course is right: every key is computed again, exactly, from what its author meant."""

import math
import re
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
import re2
from paideia.catalog.v1 import item_pb2

from cli.course_format import CourseItem, read_course
from cli.yaml_text import Rows, Table, Text
from domain.catalog.graph import cycle_in
from tests.unit.courses.expressions import Exact, evaluate, number_in, number_in_words

COURSE = read_course(Path(__file__).parents[3] / "courses" / "fractions")
ITEMS = {each.message.name.removeprefix("items/fractions."): each for each in COURSE.items}
every_item = pytest.mark.parametrize("item", ITEMS.values(), ids=ITEMS.keys())


def table(value: object) -> Table:
    assert isinstance(value, Table)
    return value


def rows(value: object) -> Rows:
    assert isinstance(value, Rows)
    return value


def value_of(entry: object, text_key: str = "text", value_key: str = "value") -> Exact:
    """What an entry stands for: its own `value`, or the number its text holds."""
    if isinstance(entry, Text):
        return number_in(str(entry))
    written = table(entry).get(value_key)
    return evaluate(str(written)) if written is not None else number_in(str(table(entry)[text_key]))


def choice_is_right(check: str, choice: Table) -> bool:
    value = value_of(choice, "right" if "right" in choice else "wrong")
    expected = evaluate(check, {"x": value})
    return expected if isinstance(expected, bool) else expected == value


def says(text: str, value: Exact) -> bool:
    """Whether a short text says the value, in figures or in words."""
    if isinstance(value, str):
        return text == value
    try:
        return number_in(text) == value
    except ValueError:
        return number_in_words(text) == value


def verify(source: Table, key: item_pb2.Key | item_pb2.GapKey) -> None:
    """Computes the key of an item or gap again. The cases are the item types."""
    check, kind = str(source["check"]), str(source["type"])
    if kind.endswith("choice") or kind == "multiple-response":
        for choice in rows(source["choices"]):
            assert choice_is_right(check, table(choice)) == ("right" in table(choice)), choice
    elif kind == "numeric":
        right, answer = evaluate(check), number_in(key.numeric.value)
        assert isinstance(right, Fraction)
        assert abs(right - answer) <= Fraction(key.numeric.tolerance or 0)
        for wrong in key.numeric.feedback:
            assert abs(number_in(wrong) - answer) > Fraction(key.numeric.tolerance or 0), wrong
        if key.numeric.lowest_terms:
            top, bottom = key.numeric.value.split(" ")[-1].split("/")
            assert math.gcd(int(top), int(bottom)) == 1
    elif kind == "short-text":
        right = evaluate(check)
        assert all(says(text, right) for text in key.short_text.accepted)
        for wrong in key.short_text.feedback:
            assert wrong not in key.short_text.accepted
            assert not any(re2.fullmatch(pattern, wrong) for pattern in key.short_text.patterns), wrong


@every_item
def test_the_key_is_right(item: CourseItem) -> None:
    source, message = item.source, item.message
    check = str(source["check"])
    if source["type"] == "ordering":
        values = [value_of(entry) for entry in rows(source["order"])]
        assert check in ("ascending", "descending")
        assert values == sorted(values, reverse=check == "descending")  # type: ignore[type-var]
        assert len(set(values)) == len(values)
        texts = {each.id: each.text for each in message.body.ordering.entries}
        written = [str(entry if isinstance(entry, Text) else table(entry)["text"]) for entry in rows(source["order"])]
        assert [texts[each] for each in message.key.ordering.order] == written
    elif source["type"] == "matching":
        assert check == "equal"
        pairs = [table(each) for each in rows(source["pairs"])]
        targets = {str(pair["with"]): value_of(pair, "with", "with_value") for pair in pairs}
        spare = {str(each if isinstance(each, Text) else table(each)["text"]): value_of(each) for each in rows(source["spare"])}
        for pair in pairs:
            value = value_of(pair, "match")
            assert value == targets[str(pair["with"])], pair
            assert [text for text, other in {**targets, **spare}.items() if other == value] == [pair["with"]]
    elif source["type"] == "cloze":
        for gap_id, gap in table(source["gaps"]).items():
            verify(table(gap), message.key.cloze.gaps[gap_id])
    else:
        verify(source, message.key)


@every_item
def test_every_wrong_choice_has_feedback(item: CourseItem) -> None:
    bodies = [(item.message.body.choice, item.message.key.choice)]
    bodies += [(gap.choice, item.message.key.cloze.gaps[gap.id].choice) for gap in item.message.body.cloze.gaps]
    for choice, key in bodies:
        assert {each.id for each in choice.choices} == set(key.correct) | set(key.feedback)


@every_item
def test_there_are_hints_and_an_explanation(item: CourseItem) -> None:
    assert 1 <= len(item.message.key.hints) <= 4
    assert len(item.message.key.explanation) > 30
    assert item.message.title


def answers(message: item_pb2.Item) -> list[str]:
    """The texts that would give the answer away."""
    key = message.key
    texts = {each.id: each.text for each in message.body.choice.choices}
    if message.body.HasField("choice"):
        # With several right choices, only all of them together are the answer.
        return [texts[key.choice.correct[0]]] if len(key.choice.correct) == 1 else []
    if message.body.HasField("numeric"):
        return [key.numeric.value]
    return list(key.short_text.accepted)


@every_item
def test_hints_do_not_say_the_answer(item: CourseItem) -> None:
    for answer in answers(item.message):
        said = re.compile(rf"(?<![\w/.]){re.escape(answer)}(?![\w/]|\.\d)", re.IGNORECASE)
        assert not any(said.search(hint) for hint in item.message.key.hints), answer


@every_item
def test_gaps_stand_in_the_stem(item: CourseItem) -> None:
    assert set(re.findall(r"\{\{([\w-]+)\}\}", item.message.body.stem)) == {each.id for each in item.message.body.cloze.gaps}


@every_item
def test_option_ids_do_not_betray_the_order(item: CourseItem) -> None:
    order = list(item.message.key.ordering.order)
    assert not order or [each.id for each in item.message.body.ordering.entries] == sorted(order)


def test_there_is_enough_to_practise() -> None:
    practised = Counter(skill for each in COURSE.items for skill in each.message.skills[:1])
    assert set(practised) == {each.name for each in COURSE.skills}
    assert len(COURSE.skills) >= 10
    assert len(COURSE.items) >= 150
    assert min(practised.values()) >= 12


def test_every_skill_is_met_in_several_types_and_all_types_are_there() -> None:
    kinds = Counter((each.message.skills[0], str(each.source["type"])) for each in COURSE.items)
    assert {kind for _, kind in kinds} == {
        "single-choice",
        "multiple-choice",
        "multiple-response",
        "numeric",
        "short-text",
        "ordering",
        "matching",
        "cloze",
    }
    assert min(Counter(skill for skill, _ in kinds).values()) >= 5


def test_some_items_practise_several_skills() -> None:
    assert sum(len(each.message.skills) > 1 for each in COURSE.items) >= 5


def test_prerequisites_are_acyclic_and_connected() -> None:
    graph = {each.name: tuple(each.prerequisites) for each in COURSE.skills}
    assert cycle_in(graph) is None
    assert [name for name, before in graph.items() if not before] == ["skills/fractions.meaning"]


def test_stems_are_all_different() -> None:
    stems = Counter((each.message.body.stem, str(each.message.body)) for each in COURSE.items)
    assert max(stems.values()) == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [("3/4", "3/4"), ("1 3/4 m", "7/4"), ("0.50", "1/2"), ("12.5%", "1/8"), ("of 30 marbles", "30"), ("1/10 l", "1/10")],
)
def test_numbers_are_read_from_texts(text: str, value: str) -> None:
    assert number_in(text) == Fraction(value)


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("five eighths", "5/8"),
        ("two and a half", "5/2"),
        ("two and one-half", "5/2"),
        ("five over eight", "5/8"),
        ("two thirds", "2/3"),
    ],
)
def test_numbers_are_read_from_words(words: str, value: str) -> None:
    assert number_in_words(words) == Fraction(value)


@pytest.mark.parametrize("expression", ["__import__('os')", "x", "(1).real", "[1]", "2 ** 99", "'a' + 1"])
def test_only_arithmetic_is_evaluated(expression: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        evaluate(expression)
