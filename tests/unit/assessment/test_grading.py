from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.assessment.codec import decode, encode
from adapters.assessment.re2 import Re2PatternMatcher
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
from domain.assessment.model.items import ChoiceInteraction, ChoiceKey, ShortTextInteraction, ShortTextKey
from domain.shared.errors import FieldViolation, InvalidInput
from tests.unit.assessment import examples
from tests.unit.assessment.examples import (
    CLOZE,
    LENGTH,
    LOWEST,
    MATCHING,
    MULTIPLE,
    NUMERIC,
    ORDERING,
    SINGLE,
    TEXT,
    item,
    options,
)

PATTERNS = Re2PatternMatcher()


def graded(question, answer):
    return grade(question, answer, PATTERNS)


@pytest.mark.parametrize("kind", examples.CORRECT)
def test_the_correct_answer_gets_the_full_score(kind):
    question, answer = examples.CORRECT[kind]
    assert check(question, PATTERNS) == []
    assert graded(question, answer).correct


@given(examples.answered_items())
def test_every_item_without_faults_grades_its_correct_answer_as_correct(answered):
    question, answer = answered
    assert check(question, PATTERNS) == []
    assert graded(question, answer).score == 1


@given(examples.answered_items(), examples.any_answers)
def test_any_answer_is_graded_between_0_and_1_or_refused_by_its_field(answered, answer):
    refused: tuple[FieldViolation, ...] = ()
    try:
        result = graded(answered[0], answer)
    except InvalidInput as refusal:
        refused = refusal.violations
    else:
        assert 0 <= result.score <= 1
        assert result.correct == (result.score == 1)
    assert all(each.field.startswith("answer") for each in refused)


@given(examples.answered_items(), examples.any_answers)
def test_items_and_answers_survive_being_stored(answered, answer):
    assert decode(encode(answered[0])) == answered[0]
    assert decode(encode(answer)) == answer


@given(examples.choices(multiple=True), st.data())
def test_the_order_of_choosing_does_not_matter(choice, data):
    question = item(choice[0], choice[1])
    chosen = data.draw(st.lists(st.sampled_from([each.id for each in choice[0].choices]), unique=True))
    shuffled = data.draw(st.permutations(chosen))
    assert graded(question, ChoiceAnswer(tuple(chosen))) == graded(question, ChoiceAnswer(tuple(shuffled)))


@given(examples.choices(multiple=True), st.data())
def test_one_more_right_choice_never_costs_and_one_more_wrong_choice_never_pays(choice, data):
    question = item(choice[0], choice[1])
    names = [each.id for each in choice[0].choices]
    chosen = data.draw(st.lists(st.sampled_from(names), unique=True, max_size=len(names) - 1))
    more = data.draw(st.sampled_from([each for each in names if each not in chosen]))
    before = graded(question, ChoiceAnswer(tuple(chosen))).score
    after = graded(question, ChoiceAnswer((*chosen, more))).score
    assert after >= before if more in choice[1].correct else after <= before


@given(examples.orderings(), st.data())
def test_swapping_two_neighbours_into_their_right_order_never_costs(ordering, data):
    question = item(ordering[0], replace(ordering[1], partial_credit=True))
    rank = {entry: place for place, entry in enumerate(ordering[1].order)}
    order = data.draw(st.permutations(ordering[1].order))
    place = data.draw(st.integers(0, len(order) - 2))
    better = [*order[:place], *sorted(order[place : place + 2], key=rank.__getitem__), *order[place + 2 :]]
    assert graded(question, OrderingAnswer(tuple(better))).score >= graded(question, OrderingAnswer(tuple(order))).score


@given(examples.matchings())
def test_each_source_matched_right_is_an_equal_share(matching):
    question = item(matching[0], replace(matching[1], partial_credit=True))
    first = dict([next(iter(matching[1].matches.items()))])
    assert graded(question, MatchingAnswer(first)).score == Fraction(1, len(matching[0].sources))


@pytest.mark.parametrize(
    ("question", "answer", "score"),
    [
        (SINGLE, ChoiceAnswer(("a",)), 0),
        (SINGLE, ChoiceAnswer(()), 0),
        (MULTIPLE, ChoiceAnswer(("a",)), Fraction(1, 2)),
        (MULTIPLE, ChoiceAnswer(("a", "b", "c")), Fraction(1, 2)),
        (MULTIPLE, ChoiceAnswer(("b", "d")), 0),
        (NUMERIC, NumericAnswer("0.75"), 1),
        (NUMERIC, NumericAnswer("6/8"), 1),
        (NUMERIC, NumericAnswer("0.7500001"), 0),
        (NUMERIC, NumericAnswer("0.75 m"), 0),
        (NUMERIC, NumericAnswer("1e300"), 0),
        (LENGTH, NumericAnswer("1.51 m"), 1),
        (LENGTH, NumericAnswer("1.49", "m"), 1),
        (LENGTH, NumericAnswer("1.5101 m"), 0),
        (LENGTH, NumericAnswer("151cm"), 1),
        (LENGTH, NumericAnswer("1.5"), 0),
        (LENGTH, NumericAnswer("1.5 kg"), 0),
        (LOWEST, NumericAnswer("2/4"), 0),
        (LOWEST, NumericAnswer("0.5"), 1),
        (TEXT, ShortTextAnswer("  THE\tnumerator "), 1),
        (TEXT, ShortTextAnswer("ｎumerator"), 1),
        (TEXT, ShortTextAnswer("a numerator"), 0),
        (TEXT, ShortTextAnswer(""), 0),
        (ORDERING, OrderingAnswer(("second", "first", "third")), Fraction(2, 3)),
        (ORDERING, OrderingAnswer(("third", "second", "first")), 0),
        (MATCHING, MatchingAnswer({"s1": "t2"}), Fraction(1, 2)),
        (MATCHING, MatchingAnswer({}), 0),
        (CLOZE, ClozeAnswer({"n": NumericAnswer("7"), "c": ChoiceAnswer(("x",))}), Fraction(1, 3)),
        (CLOZE, ClozeAnswer({}), 0),
    ],
)
def test_scores_follow_the_contract(question, answer, score):
    assert graded(question, answer).score == score


@pytest.mark.parametrize(
    ("question", "answer", "feedback"),
    [
        (SINGLE, ChoiceAnswer(("a",)), ("Not a.",)),
        (SINGLE, ChoiceAnswer(("b",)), ("Yes, b.",)),
        (SINGLE, ChoiceAnswer(("c",)), ()),
        (NUMERIC, NumericAnswer("1 1/3"), ("Upside down.",)),
        (NUMERIC, NumericAnswer("3/4"), ()),
        (LENGTH, NumericAnswer("150"), ("Mind the unit.",)),
        (LOWEST, NumericAnswer("2/4"), ("Reduce it.",)),
        (TEXT, ShortTextAnswer("Denominator"), ("That is below the line.",)),
        (CLOZE, ClozeAnswer({"c": ChoiceAnswer(("x",))}), ("No.",)),
    ],
)
def test_feedback_fits_the_answer(question, answer, feedback):
    assert graded(question, answer).feedback == feedback


@pytest.mark.parametrize(
    ("question", "answer", "field"),
    [
        (SINGLE, None, "answer"),
        (SINGLE, NumericAnswer("1"), "answer.numeric"),
        (SINGLE, ChoiceAnswer(("a", "b")), "answer.choice.chosen"),
        (SINGLE, ChoiceAnswer(("z",)), "answer.choice.chosen"),
        (MULTIPLE, ChoiceAnswer(("a", "a")), "answer.choice.chosen"),
        (NUMERIC, NumericAnswer("three"), "answer.numeric.value"),
        (NUMERIC, NumericAnswer("1" * 101), "answer.numeric.value"),
        (LENGTH, NumericAnswer("1 m", "cm"), "answer.numeric.unit"),
        (LENGTH, NumericAnswer("1", "m" * 33), "answer.numeric.unit"),
        (TEXT, ShortTextAnswer("a" * 201), "answer.short_text.text"),
        (ORDERING, OrderingAnswer(("first",)), "answer.ordering.order"),
        (ORDERING, OrderingAnswer(("first", "first", "third")), "answer.ordering.order"),
        (MATCHING, MatchingAnswer({"zz": "t1"}), "answer.matching.matches"),
        (MATCHING, MatchingAnswer({"s1": "zz"}), "answer.matching.matches.s1"),
        (CLOZE, ClozeAnswer({"zz": NumericAnswer("1")}), "answer.cloze.gaps"),
        (CLOZE, ClozeAnswer({"n": NumericAnswer("x")}), "answer.cloze.gaps.n.numeric.value"),
        (CLOZE, ClozeAnswer({"n": ChoiceAnswer(("x",))}), "answer.cloze.gaps.n.choice"),
        (CLOZE, ClozeAnswer({"n": None}), "answer.cloze.gaps.n"),
    ],
)
def test_an_answer_that_cannot_be_read_is_refused_by_its_field(question, answer, field):
    with pytest.raises(InvalidInput) as refusal:
        graded(question, answer)
    assert [each.field for each in refusal.value.violations] == [field]


def test_all_or_nothing_gives_nothing_for_a_part():
    question = item(ChoiceInteraction(options("a", "b", "c"), multiple=True), ChoiceKey(("a", "b")))
    assert graded(question, ChoiceAnswer(("a",))).score == 0


def test_a_pattern_spells_letters_that_folding_would_change():
    question = item(ShortTextInteraction(), ShortTextKey((), ("stra(ß|ss)e",)))
    assert [graded(question, ShortTextAnswer(each)).correct for each in ("Straße", "STRASSE", "Strase")] == [True, True, False]


def test_a_pattern_that_would_explode_elsewhere_is_matched_in_linear_time():
    question = item(ShortTextInteraction(1000), ShortTextKey((), ("(a+)+b",)))
    assert check(question, PATTERNS) == []
    assert not graded(question, ShortTextAnswer("a" * 999 + "c")).correct


def test_capitals_count_only_where_the_author_says_so():
    question = item(ShortTextInteraction(), ShortTextKey(("Na",), ("H2O",), case_sensitive=True))
    assert [graded(question, ShortTextAnswer(each)).correct for each in ("Na", "na", "H2O", "h2o")] == [True, False, True, False]
