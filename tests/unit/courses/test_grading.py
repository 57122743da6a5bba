"""The platform grades the sample course as its author meant it."""

from pathlib import Path

import pytest
from paideia.catalog.v1 import item_pb2

from adapters.assessment.grpc import item_from
from adapters.assessment.re2 import Re2PatternMatcher
from cli.course_format import read_course
from domain.assessment.model.answers import (
    ChoiceAnswer,
    ClozeAnswer,
    MatchingAnswer,
    NumericAnswer,
    OrderingAnswer,
    ShortTextAnswer,
)
from domain.assessment.model.checking import check
from domain.assessment.model.grading import grade

COURSE = read_course(Path(__file__).parents[3] / "courses" / "fractions")
PATTERNS = Re2PatternMatcher()
every_item = pytest.mark.parametrize("item", [each.message for each in COURSE.items], ids=lambda item: item.name)


def gap_answer(key: item_pb2.Key | item_pb2.GapKey) -> ChoiceAnswer | NumericAnswer | ShortTextAnswer:
    if key.WhichOneof("answer") == "choice":
        return ChoiceAnswer(tuple(key.choice.correct))
    if key.WhichOneof("answer") == "numeric":
        unit = next((unit for unit, factor in key.numeric.units.items() if factor == "1"), "")
        return NumericAnswer(key.numeric.value, unit)
    return ShortTextAnswer(key.short_text.accepted[0])


def right_answer(key: item_pb2.Key) -> object:
    kind = key.WhichOneof("answer")
    if kind == "ordering":
        return OrderingAnswer(tuple(key.ordering.order))
    if kind == "matching":
        return MatchingAnswer(dict(key.matching.matches))
    if kind == "cloze":
        return ClozeAnswer({gap: gap_answer(each) for gap, each in key.cloze.gaps.items()})
    return gap_answer(key)


@every_item
def test_an_item_has_no_fault(item: item_pb2.Item) -> None:
    assert check(item_from(item), PATTERNS) == []


@every_item
def test_the_right_answer_scores_full(item: item_pb2.Item) -> None:
    assert grade(item_from(item), right_answer(item.key), PATTERNS).score == 1  # type: ignore[arg-type]


@every_item
def test_a_known_mistake_scores_nothing_and_is_met_with_its_feedback(item: item_pb2.Item) -> None:
    known = [
        *((ChoiceAnswer((choice,)), said) for choice, said in item.key.choice.feedback.items()),
        *((NumericAnswer(wrong, _unit(item)), said) for wrong, said in item.key.numeric.feedback.items()),
        *((ShortTextAnswer(wrong), said) for wrong, said in item.key.short_text.feedback.items()),
    ]
    for answer, said in known:
        graded = grade(item_from(item), answer, PATTERNS)  # type: ignore[arg-type]
        assert (graded.score, graded.feedback) == (0, (said,))


def _unit(item: item_pb2.Item) -> str:
    return next((unit for unit, factor in item.key.numeric.units.items() if factor == "1"), "")
