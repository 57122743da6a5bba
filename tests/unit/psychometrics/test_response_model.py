import random
from math import exp, log
from statistics import correlation

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.psychometrics.response_model import Constants, Gaussian, ItemEvidence, Lesson, ResponseModel
from domain.shared.errors import InvalidInput

MODEL = ResponseModel()
answers = st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.integers(0, 3)), max_size=80)


def stream(told: list[tuple[bool, int, int]]) -> tuple[dict[int, Gaussian], dict[int, ItemEvidence], list[Lesson]]:
    """Learners and items by number, after answers told as (correct, learner, item)."""
    abilities: dict[int, Gaussian] = {}
    items: dict[int, ItemEvidence] = {}
    lessons = []
    for correct, learner, item in told:
        evidence = items.get(item, ItemEvidence())
        lesson = MODEL.learn(abilities.get(learner, MODEL.new_ability), [], evidence, correct)
        abilities[learner] = lesson.ability
        items[item] = evidence + lesson.evidence
        lessons.append(lesson)
    return abilities, items, lessons


@given(answers)
def test_predictions_are_probabilities_and_beliefs_stay_proper(told: list[tuple[bool, int, int]]) -> None:
    abilities, items, lessons = stream(told)
    assert all(0 < each.predicted < 1 for each in lessons)
    assert all(0 < each.variance <= MODEL.new_ability.variance + 0.01 * len(told) for each in abilities.values())
    assert all(abs(MODEL.difficulty(each)) <= 10 for each in items.values())


@given(answers, st.booleans())
def test_the_stored_prediction_is_the_one_made_before_the_answer(told: list[tuple[bool, int, int]], correct: bool) -> None:
    abilities, items, _ = stream(told)
    ability, item = abilities.get(0, MODEL.new_ability), items.get(0, ItemEvidence())
    before = MODEL.predict(ability, [MODEL.new_deviation], item)
    assert MODEL.learn(ability, [MODEL.new_deviation], item, correct).predicted == before


@given(answers)
def test_right_raises_and_wrong_lowers_ability_and_the_other_way_round_for_difficulty(told: list[tuple[bool, int, int]]) -> None:
    abilities, items, _ = stream(told)
    ability, item = abilities.get(0, MODEL.new_ability), items.get(0, ItemEvidence())
    right, wrong = (MODEL.learn(ability, [MODEL.new_deviation], item, each) for each in (True, False))
    assert wrong.ability.mean < ability.mean < right.ability.mean
    assert wrong.deviations[0].mean < 0 < right.deviations[0].mean
    assert MODEL.predict(ability, [], item + right.evidence) >= MODEL.predict(ability, [], item + wrong.evidence)


def test_evidence_adds_up_in_any_order() -> None:
    _, _, lessons = stream([(place % 3 > 0, place % 4, 0) for place in range(40)])
    shares = [each.evidence for each in lessons]
    forward = sum(shares, ItemEvidence())
    random.Random(3).shuffle(shares)
    assert MODEL.difficulty(sum(shares, ItemEvidence())) == pytest.approx(MODEL.difficulty(forward))


def test_a_batch_that_read_the_item_before_it_comes_close_to_one_by_one() -> None:
    """Concurrent writers see the item as it was: what each adds still sums to nearly the same item."""
    chance = random.Random(5)
    told = [(chance.random() < 0.7, learner, 0) for learner in range(200)]
    _, items, _ = stream(told)
    concurrent = ItemEvidence()
    for start in range(0, 200, 10):
        seen = concurrent
        for correct, _, _ in told[start : start + 10]:
            concurrent += MODEL.learn(MODEL.new_ability, [], seen, correct).evidence
    assert MODEL.difficulty(concurrent) == pytest.approx(MODEL.difficulty(items[0]), abs=0.15)


def test_difficulties_and_abilities_are_recovered_from_simulated_answers() -> None:
    """Up to the scale, which only the prior fixes."""
    chance = random.Random(11)
    items = [(chance.choice([0.7, 1.0, 1.6]), chance.gauss(0, 1.2)) for _ in range(40)]
    learners = [chance.gauss(0, 1) for _ in range(500)]
    told = []
    for learner, level in enumerate(learners):
        for item in chance.sample(range(40), 30):
            slope, difficulty = items[item]
            told.append((chance.random() < 1 / (1 + exp(-slope * (level - difficulty))), learner, item))
    abilities, found, lessons = stream(told)
    late = range(250, 500)
    assert correlation([each for _, each in items], [MODEL.difficulty(found[item]) for item in range(40)]) > 0.95
    assert correlation([learners[each] for each in late], [abilities[each].mean for each in late]) > 0.88
    covered = sum(abs(abilities[each].mean - learners[each]) <= 1.645 * abilities[each].variance ** 0.5 for each in late)
    assert 0.85 < covered / len(late) < 0.99
    losses = [-log(lesson.predicted if told[at][0] else 1 - lesson.predicted) for at, lesson in enumerate(lessons)]
    assert sum(losses[-5000:]) < sum(losses[:5000])


@pytest.mark.parametrize("extreme", [True, False])
def test_endless_answers_alike_do_no_harm(extreme: bool) -> None:
    abilities, items, lessons = stream([(extreme, 0, 0)] * 3000)
    assert all(0 < each.predicted < 1 for each in lessons)
    assert abilities[0].variance > 0
    assert abs(MODEL.difficulty(items[0])) <= 10


def test_the_first_version_predicts_as_it_did() -> None:
    """Numbers that the code of version logistic-2 printed."""
    model = ResponseModel(Constants(1.5, 0.3, 1.0, 0.2, 0.0, 1.5, 0.005, 20.0))
    ability, deviations, evidence = model.new_ability, (model.new_deviation,) * 2, ItemEvidence()
    predicted = []
    for correct in (True, False, True, True):
        lesson = model.learn(ability, deviations, evidence, correct)
        ability, deviations, evidence = lesson.ability, lesson.deviations, evidence + lesson.evidence
        predicted.append(lesson.predicted)
    assert predicted == pytest.approx([0.5, 0.6869579464979121, 0.4526420580992825, 0.6298121956763677], rel=1e-12)
    assert ability == pytest.approx((0.5649281892376863, 0.860630816495743), rel=1e-12)
    assert model.difficulty(evidence) == pytest.approx(-0.5671336604570516, rel=1e-12)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e9, 1e9])
@pytest.mark.parametrize("name", Constants._fields)
def test_constants_that_mean_nothing_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(InvalidInput, match=f"response.{name}"):
        ResponseModel(Constants(**{name: value}))
