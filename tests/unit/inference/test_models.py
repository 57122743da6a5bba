"""What every kind of response model promises."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.inference.features import FEATURES, PARTS, Learner
from domain.inference.history import NEWEST, Answered
from domain.inference.response_model import Candidate, Explanation, Factor, shapley
from tests.unit.inference.making import KINDS, answered, model, table

ITEMS = st.sampled_from(["easy", "hard", "both", "never seen"])
ANSWERS = st.builds(
    Answered,
    ITEMS,
    st.sampled_from([("adding",), ("adding", "halving"), ("never practised",), ()]),
    st.booleans(),
    st.one_of(st.none(), st.floats(0, 2e9)),
)
HISTORIES = st.lists(st.lists(ANSWERS, max_size=12), min_size=1, max_size=4)
CANDIDATES = [
    Candidate("easy"),
    Candidate("hard"),
    Candidate("both"),
    Candidate("new", ("halving",)),
    Candidate("new one", ("new",)),
]


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@given(histories=HISTORIES)
@settings(max_examples=25)
def test_a_prediction_is_inside_0_and_1_and_nobodys_business_but_the_learners(
    kind: str, timed: bool, histories: list[list[Answered]]
) -> None:
    predicted = model(kind, timed).predict(histories, CANDIDATES, 2e9)
    assert predicted.shape == (len(histories), len(CANDIDATES))
    assert ((predicted > 0) & (predicted < 1)).all()
    backwards = model(kind, timed).predict(histories[::-1], CANDIDATES[::-1], 2e9)
    assert predicted == pytest.approx(backwards[::-1, ::-1], abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_asked_about_nothing_is_no_error(kind: str) -> None:
    assert model(kind).predict([], CANDIDATES, None).shape == (0, len(CANDIDATES))
    assert model(kind).predict([[], []], [], None).shape == (2, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_hundred_thousand_answers_the_newest_count(kind: str) -> None:
    long = [answered("easy", n % 3 > 0) for n in range(100_000)]
    assert (
        model(kind).predict([long], CANDIDATES, None).tolist() == model(kind).predict([long[-NEWEST:]], CANDIDATES, None).tolist()
    )


@pytest.mark.parametrize("kind", KINDS)
def test_an_item_is_known_if_it_was_trained_on_and_its_skills_then_stand_in(kind: str) -> None:
    assert [model(kind).knows(each) for each in ("easy", "never seen")] == [True, False]
    told, looked_up = model(kind).predict([[]], [Candidate("both", ("adding", "halving")), Candidate("both")], None)[0]
    assert told == looked_up


@pytest.mark.parametrize("timed", [False, True])
def test_time_moves_only_models_that_were_trained_with_it(timed: bool) -> None:
    history = [answered("easy", at=1e9)]
    soon, late = (model("logistic", timed).predict([history], [Candidate("easy")], 1e9 + days * 86_400)[0, 0] for days in (1, 30))
    assert (soon > late) == timed


def test_features_are_finite_and_in_their_places() -> None:
    learner = Learner(table(), True, [answered("easy", True, at=0.0), answered("hard", False, at=86_400.0)])
    row = dict(zip(FEATURES, learner.known("hard", (), 3 * 86_400.0).row(), strict=True))
    assert all(np.isfinite(list(row.values())))
    assert (row["again_times"], row["again_last"]) == (pytest.approx(np.log(2)), -1.0)
    assert row["days"] == pytest.approx(np.log(3))
    assert row["skills_gap"] == pytest.approx(np.log(2)), "the skill was in the answer before"
    assert row["item_share"] < 0 < dict(zip(FEATURES, learner.known("easy", (), None).row(), strict=True))["item_share"]


def test_better_learners_and_easier_items_are_expected_to_be_right_more_often() -> None:
    good, bad = [answered("both", True, "adding", "halving")] * 5, [answered("both", False, "adding", "halving")] * 5
    for item in ("easy", "hard"):
        high, low = model("logistic").predict([good, bad], [Candidate(item)], None)[:, 0]
        assert high > low
    easy, hard = model("logistic").predict([good], [Candidate("easy"), Candidate("hard")], None)[0]
    assert easy > hard


@pytest.mark.parametrize("kind", KINDS)
@given(history=st.lists(ANSWERS, max_size=8), item=st.sampled_from(CANDIDATES))
@settings(max_examples=20)
def test_an_explanation_adds_up_to_the_prediction_and_speaks_of_every_part(
    kind: str, history: list[Answered], item: Candidate
) -> None:
    told = model(kind).explain(history, item, 2e9)
    assert told.probability == pytest.approx(model(kind).predict([history], [item], 2e9)[0, 0], abs=1e-12)
    assert told.base + sum(each.effect for each in told.factors) == pytest.approx(told.probability, abs=1e-12)
    assert all(abs(one.effect) >= abs(other.effect) for one, other in pairwise(told.factors))
    assert all(each.fact and not each.fact.endswith(".") for each in told.factors)
    assert f"{told.probability:.0%}" in told.text()


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_new_learner_and_an_unknown_item_there_is_nothing_to_explain(kind: str) -> None:
    told = model(kind).explain([], Candidate("new"), None)
    assert [each.effect for each in told.factors] == pytest.approx([0.0] * len(told.factors))
    assert told.probability == pytest.approx(told.base)


def test_the_words_name_what_is_known() -> None:
    history = [answered("hard", False), answered("easy"), answered("hard")]
    facts = {each.name: each.fact for each in model("logistic").explain(history, Candidate("hard"), None).factors}
    assert set(facts) == set(PARTS)
    assert facts["item"] == "The item was answered right 10% of 10 times in training"
    assert facts["again"] == "The learner answered this item twice before, the last time right"
    assert "better than expected" in facts["lately"]
    assert facts["practice"].startswith("The item's skill was practised 3 times")


def test_text_leaves_out_what_matters_little() -> None:
    text = Explanation(0.8, 0.5, (Factor("item", "It is easy", 0.299), Factor("ability", "Unknown", 0.001))).text()
    assert "It is easy: 30 points up." in text
    assert "Unknown" not in text
    assert "less than a point" in text


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=3))
def test_shapleys_value_of_a_sum_is_each_summand_and_of_a_product_is_shared(summands: list[float]) -> None:
    names = ["a", "b", "c"]
    worth = dict(zip(names, summands, strict=True))
    base, whole, added = shapley(names, lambda subsets: np.array([1 + sum(worth[each] for each in one) for one in subsets]))
    assert (base, whole) == (1, pytest.approx(1 + sum(summands)))
    assert added == pytest.approx(summands)
    _, _, shared = shapley(["a", "b"], lambda subsets: np.array([float(len(one) == 2) for one in subsets]))
    assert shared == [0.5, 0.5]
