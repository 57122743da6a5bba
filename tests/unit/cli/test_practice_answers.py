from typing import Any

import pytest

from cli.practice_answers import NotAnAnswer, answer_from, how_to_answer

OPTIONS = [{"id": "i1", "text": "first"}, {"id": "i2", "text": "second"}, {"id": "i3", "text": "third"}]
ONE: dict[str, Any] = {"choice": {"choices": OPTIONS}}
SEVERAL: dict[str, Any] = {"choice": {"choices": OPTIONS, "multiple": True}}
NUMBER: dict[str, Any] = {"numeric": {"units": ["m", "cm"]}}
TEXT: dict[str, Any] = {"shortText": {}}
ORDER: dict[str, Any] = {"ordering": {"entries": OPTIONS}}
MATCH: dict[str, Any] = {"matching": {"sources": OPTIONS, "targets": [{"id": "t1"}, {"id": "t2"}]}}


@pytest.mark.parametrize(
    ("typed", "body", "answer"),
    [
        ("b", ONE, {"choice": {"chosen": ["i2"]}}),
        (" B ", ONE, {"choice": {"chosen": ["i2"]}}),
        ("a c", SEVERAL, {"choice": {"chosen": ["i1", "i3"]}}),
        ("c,a", SEVERAL, {"choice": {"chosen": ["i3", "i1"]}}),
        ("ac", SEVERAL, {"choice": {"chosen": ["i1", "i3"]}}),
        ("1 3/4 m", NUMBER, {"numeric": {"value": "1 3/4 m"}}),
        ("two thirds", TEXT, {"shortText": {"text": "two thirds"}}),
        ("c a b", ORDER, {"ordering": {"order": ["i3", "i1", "i2"]}}),
        ("a2 b-1, c:2", MATCH, {"matching": {"matches": {"i1": "t2", "i2": "t1", "i3": "t2"}}}),
        ("b1", MATCH, {"matching": {"matches": {"i2": "t1"}}}),
    ],
)
def test_what_is_typed_becomes_an_answer(typed: str, body: dict[str, Any], answer: dict[str, Any]) -> None:
    assert answer_from(typed, body) == answer


@pytest.mark.parametrize(
    ("typed", "body", "said"),
    [
        ("", ONE, "one letter"),
        ("a b", ONE, "one letter"),
        ("d", ONE, "from a to c"),
        ("a a", SEVERAL, "once"),
        ("three", NUMBER, "type a number"),
        ("", TEXT, "type a word"),
        ("a b", ORDER, "each of the 3"),
        ("x", MATCH, "pairs"),
        ("a9", MATCH, "from 1 to 2"),
        ("z1", MATCH, "from a to c"),
    ],
)
def test_what_does_not_fit_is_said(typed: str, body: dict[str, Any], said: str) -> None:
    with pytest.raises(NotAnAnswer, match=said):
        answer_from(typed, body)


@pytest.mark.parametrize("body", [ONE, SEVERAL, NUMBER, TEXT, ORDER, MATCH, {"cloze": {"gaps": []}}])
def test_every_kind_says_how_to_answer(body: dict[str, Any]) -> None:
    assert how_to_answer(body)
