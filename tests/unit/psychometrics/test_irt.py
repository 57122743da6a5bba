"""Probability, information and ability in the logistic models: laws, limits, and agreement with catsim."""

from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.psychometrics.irt import Items, abilities, eap, information, probabilities, probability
from domain.shared.errors import InvalidInput

SLOPES = st.floats(0.2, 4)
DIFFICULTIES = st.floats(-4, 4)
GUESSES = st.floats(0, 0.5)
ABILITIES = st.floats(-6, 6)


@st.composite
def pools(draw: st.DrawFn, least: int = 1) -> Items:
    count = draw(st.integers(least, 12))
    rows = [st.lists(each, min_size=count, max_size=count) for each in (SLOPES, DIFFICULTIES, GUESSES)]
    return Items.of(*(draw(each) for each in rows))


@given(pools(), ABILITIES, ABILITIES)
def test_who_is_abler_is_likelier_right(items: Items, first: float, second: float) -> None:
    low, high = sorted((first, second))
    assert (probability(items, low) <= probability(items, high) + 1e-12).all()


@given(pools(), st.floats(-1000, 1000))
def test_probabilities_lie_between_guess_and_one(items: Items, ability: float) -> None:
    chance = probability(items, ability)
    assert (chance >= items.guess).all()
    assert (chance <= 1).all()
    assert (information(items, ability) >= 0).all()
    assert np.isfinite(information(items, ability)).all()


@given(pools(), ABILITIES)
def test_information_is_the_squared_slope_of_the_curve_over_its_variance(items: Items, ability: float) -> None:
    step = 1e-5
    steepness = (probability(items, ability + step) - probability(items, ability - step)) / (2 * step)
    chance = probability(items, ability)
    assert information(items, ability) * chance * (1 - chance) == pytest.approx(steepness**2, rel=1e-3, abs=1e-9)


@given(pools(2), st.data())
def test_the_order_of_answers_does_not_matter(items: Items, data: st.DataObject) -> None:
    count = items.slope.size
    correct = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    order = data.draw(st.permutations(range(count)))
    first, second = eap(items, correct), eap(items.take(order), [correct[each] for each in order])
    assert first == pytest.approx(second, abs=1e-9)


@given(pools(), st.data())
def test_a_right_answer_never_lowers_the_ability(items: Items, data: st.DataObject) -> None:
    count = items.slope.size
    correct = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    place = data.draw(st.integers(0, count - 1))
    wrong, right = list(correct), list(correct)
    wrong[place], right[place] = False, True
    assert eap(items, wrong).mean <= eap(items, right).mean + 1e-9


@given(pools(), st.booleans())
def test_all_right_or_all_wrong_has_a_finite_ability(items: Items, correct: bool) -> None:
    estimate = eap(items, [correct] * items.slope.size)
    assert abs(estimate.mean) < 6
    assert 0 < estimate.error < 3  # hard items that can be guessed may widen the posterior beyond the prior


def test_without_answers_the_ability_is_the_prior() -> None:
    nothing = Items(np.empty(0), np.empty(0), np.empty(0))
    assert eap(nothing, [], 0.5, 2.0) == pytest.approx((0.5, 2.0), abs=1e-6)


def test_partial_credit_lies_between_wrong_and_right() -> None:
    items = Items.of([1.0, 1.5], [0.0, 0.5])
    wrong, half, right = (eap(items, [True, score]).mean for score in (0.0, 0.5, 1.0))
    assert wrong < half < right


def test_a_posterior_narrower_than_the_nodes_is_found_all_the_same() -> None:
    items = Items.of(np.full(4000, 2.0), np.full(4000, 1.234))
    estimate = eap(items, [True, False] * 2000)
    assert estimate.mean == pytest.approx(1.234, abs=1e-3)
    assert estimate.error == pytest.approx(1 / np.sqrt(4000 + 1), rel=1e-3)


def test_many_learners_at_once_have_the_same_abilities() -> None:
    chance = np.random.default_rng(3)
    items = Items.of(chance.uniform(0.5, 2.5, 12), chance.normal(size=12), chance.uniform(0, 0.3, 12))
    answers = chance.integers(-1, 2, (30, 12)).astype(np.int8)
    mean, error = abilities(items, answers)
    for row, each in enumerate(answers):
        given_ = np.flatnonzero(each >= 0)
        assert eap(items.take(given_), (each[given_] == 1).tolist()) == pytest.approx((mean[row], error[row]), abs=1e-4)


@pytest.mark.parametrize(
    ("slope", "difficulty", "guess", "field"),
    [
        (0.0, 0.0, 0.0, "slope"),
        (-1.0, 0.0, 0.0, "slope"),
        (nan, 0.0, 0.0, "slope"),
        (1e9, 0.0, 0.0, "slope"),
        (1.0, inf, 0.0, "difficulty"),
        (1.0, nan, 0.0, "difficulty"),
        (1.0, 0.0, 1.0, "guess"),
        (1.0, 0.0, -0.1, "guess"),
        (1.0, 0.0, nan, "guess"),
    ],
)
def test_impossible_items_are_refused_by_name(slope: float, difficulty: float, guess: float, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Items.of([1.0, slope], [0.0, difficulty], [0.0, guess])
    assert [each.field for each in refusal.value.violations] == [f"items[1].{field}"]


@pytest.mark.parametrize(
    ("correct", "mean", "deviation", "field"),
    [
        ([True], 0.0, 1.0, "correct"),
        ([True, nan], 0.0, 1.0, "correct"),
        ([True, 2.0], 0.0, 1.0, "correct"),
        ([True, False], nan, 1.0, "prior_mean"),
        ([True, False], 0.0, 0.0, "prior_deviation"),
        ([True, False], 0.0, inf, "prior_deviation"),
    ],
)
def test_impossible_answers_and_priors_are_refused_by_name(
    correct: list[float], mean: float, deviation: float, field: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        eap(Items.of([1.0, 1.0], [0.0, 1.0]), correct, mean, deviation)
    assert refusal.value.violations[0].field == field


def test_lists_of_different_lengths_are_refused() -> None:
    with pytest.raises(InvalidInput):
        Items.of([1.0, 2.0], [0.0, 1.0, 2.0])


def test_catsim_computes_the_same_probabilities_and_information() -> None:
    irt = pytest.importorskip("catsim.irt")
    chance = np.random.default_rng(1)
    items = Items.of(chance.uniform(0.5, 2.5, 50), chance.normal(size=50), chance.uniform(0, 0.3, 50))
    for ability in (-3.0, -0.4, 0.0, 1.7):
        for place in range(50):
            a, b, c = (float(each[place]) for each in items)
            assert probability(items, ability)[place] == pytest.approx(irt.icc(ability, a, b, c, 1), abs=1e-12)
            assert information(items, ability)[place] == pytest.approx(irt.inf(ability, a, b, c, 1), rel=1e-9)


def test_intervals_of_two_standard_errors_hold_the_ability_in_95_of_100_simulated_tests() -> None:
    chance = np.random.default_rng(9)
    items = Items.of(chance.uniform(0.8, 2, 30), chance.normal(size=30), np.full(30, 0.15))
    true = chance.standard_normal(4000)
    mean, error = abilities(items, (chance.random((4000, 30)) < probabilities(items, true)).astype(np.int8))
    assert np.mean(np.abs(mean - true) <= 1.96 * error) == pytest.approx(0.95, abs=0.012)
