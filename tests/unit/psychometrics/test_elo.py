"""Elo: the laws of its steps, and what it finds in simulated answers."""

from math import exp, inf, nan
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.psychometrics.elo import FURTHEST, LEAST_LEARNER_STEP, Rating, observe, predict, step_of

ratings = st.builds(Rating, st.floats(-FURTHEST, FURTHEST), st.integers(0, 10_000), st.floats(0, 10))
scores = st.floats(0, 1)
guesses = st.sampled_from([0.0, 0.25, 0.5])


@given(ratings, ratings, scores, guesses)
def test_what_one_side_gains_in_steps_the_other_loses(learner: Rating, item: Rating, score: float, guess: float) -> None:
    predicted, after, item_after = observe(learner, item, score, guess)
    if max(abs(after.value), abs(item_after.value)) < FURTHEST:
        gained = (after.value - learner.value) / step_of(learner.answers, LEAST_LEARNER_STEP)
        lost = (item_after.value - item.value) / step_of(item.answers)
        assert gained + lost == pytest.approx(0, abs=1e-9)
        assert gained == pytest.approx(score - predicted, abs=1e-9)


@given(ratings, ratings, scores, guesses)
def test_ratings_stay_in_their_bounds_and_errors_shrink(learner: Rating, item: Rating, score: float, guess: float) -> None:
    predicted, *after = observe(learner, item, score, guess)
    assert guess <= predicted <= 1
    for old, new in zip((learner, item), after, strict=True):
        assert abs(new.value) <= FURTHEST
        assert new.answers == old.answers + 1
        assert 0 < new.error <= old.error


@given(ratings, ratings, guesses)
def test_a_right_answer_never_lowers_an_ability_nor_a_wrong_one_raises_it(learner: Rating, item: Rating, guess: float) -> None:
    wrong, right = observe(learner, item, 0.0, guess), observe(learner, item, 1.0, guess)
    assert wrong.learner.value <= learner.value <= right.learner.value
    assert right.item.value <= item.value <= wrong.item.value


@given(st.floats(-8, 8), st.floats(-8, 8), guesses)
def test_the_better_the_learner_the_likelier_the_right_answer(ability: float, difficulty: float, guess: float) -> None:
    assert predict(ability, difficulty, guess) < predict(ability + 0.5, difficulty, guess)
    assert predict(difficulty, difficulty, guess) == pytest.approx((1 + guess) / 2)


def test_the_step_shrinks_to_nothing_for_items_and_to_a_tenth_for_learners() -> None:
    assert [step_of(n) for n in (0, 20, 180)] == pytest.approx([1, 0.5, 0.1])
    assert step_of(10_000) < 0.01
    assert step_of(10_000, LEAST_LEARNER_STEP) == LEAST_LEARNER_STEP


def test_cold_items_are_placed_within_the_errors_they_state() -> None:
    chance = Random(11)
    inside, distances = 0, []
    for _ in range(200):
        difficulty, item = chance.gauss(0, 1), Rating()
        for _ in range(150):
            ability = chance.gauss(0, 1)
            right = chance.random() < 1 / (1 + exp(difficulty - ability))
            item = observe(Rating(ability, 1000), item, float(right)).item
        distances.append(abs(item.value - difficulty))
        inside += distances[-1] < 2 * item.error
    assert sum(distances) / len(distances) < 0.25
    # The error is a bound that a fixed schedule of steps does not reach: 95 % would lie inside if it did.
    assert inside >= 165


def test_a_learner_who_improves_is_followed() -> None:
    chance = Random(3)
    learner = Rating()
    for ability in (-1.0, 1.5):
        for _ in range(400):
            difficulty = chance.gauss(0, 1)
            right = chance.random() < 1 / (1 + exp(difficulty - ability))
            learner = observe(learner, Rating(difficulty, 1000), float(right)).learner
        assert learner.value == pytest.approx(ability, abs=0.75)


@pytest.mark.parametrize("score", [-0.1, 1.1, nan, inf])
def test_impossible_scores_are_refused(score: float) -> None:
    with pytest.raises(ValueError, match="score"):
        observe(Rating(), Rating(), score)


def test_impossible_ratings_and_guesses_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        predict(nan, 0.0)
    with pytest.raises(ValueError, match="guess"):
        predict(0.0, 0.0, 1.0)
