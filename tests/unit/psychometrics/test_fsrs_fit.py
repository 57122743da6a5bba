"""Fitting FSRS-6: its likelihood against py-fsrs, its derivatives, and the recovery of known weights from simulated reviews."""

from datetime import UTC, datetime, timedelta
from math import log

import numpy as np
import pytest
from fsrs import Card, Rating, Scheduler
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from domain.psychometrics.fsrs import DEFAULT_WEIGHTS, GREATEST_WEIGHTS, LEAST_WEIGHTS
from domain.psychometrics.fsrs_fit import deviations, fit
from domain.psychometrics.fsrs_likelihood import MOST_REVIEWS, Reviews, loss_and_gradient, recall_of
from domain.psychometrics.minimisation import minimise
from domain.psychometrics.sequences import Steps
from lab.fitting.simulated import SimulatedReviews, different_weights, simulated_reviews


def laid_out(simulated: SimulatedReviews) -> Reviews:
    return Reviews.of(simulated.lengths, simulated.ratings, simulated.elapsed_days)


def random_reviews(count: int, seed: int) -> Reviews:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 20, count)
    ratings = rng.choice((1, 2, 3, 4), lengths.sum(), p=(0.25, 0.2, 0.45, 0.1))
    return Reviews.of(lengths, ratings, rng.choice((0, 1, 2, 5, 10, 40, 200), lengths.sum()))


def test_the_log_loss_is_that_of_py_fsrs_predictions() -> None:
    weights = different_weights(2)
    simulated = simulated_reviews(400, weights, 3)
    scheduler = Scheduler(weights, learning_steps=(), relearning_steps=(), enable_fuzzing=False)
    expected, place = 0.0, 0
    for length in simulated.lengths.tolist():
        card, moment = Card(card_id=1), datetime(2024, 1, 1, tzinfo=UTC)
        for number in range(place, place + length):
            moment += timedelta(days=int(simulated.elapsed_days[number]))
            rating = int(simulated.ratings[number])
            if number > place and simulated.elapsed_days[number] > 0:
                recall = scheduler.get_card_retrievability(card, moment)
                expected -= log(recall) if rating > 1 else log(1 - recall)
            card, _ = scheduler.review_card(card, Rating(rating), moment)
        place += length
    assert loss_and_gradient(laid_out(simulated), np.array(weights))[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_the_derivatives_are_those_of_the_log_loss(seed: int) -> None:
    reviews = random_reviews(30, seed)
    low, high = np.array(LEAST_WEIGHTS), np.array(GREATEST_WEIGHTS)
    weights = np.array(DEFAULT_WEIGHTS) * np.random.default_rng(seed).uniform(0.7, 1.4, 21)
    weights = np.clip(weights, low + 0.002, high - 0.002)
    _, gradient = loss_and_gradient(reviews, weights)
    for index in range(21):
        ends = []
        # Where a bound of stability or difficulty begins to hold there is a kink: a short way either side seldom meets one.
        width = 1e-6 * max(weights[index], 0.01)
        for sign in (1, -1):
            moved = weights.copy()
            moved[index] += sign * width
            ends.append(loss_and_gradient(reviews, moved)[0])
        assert gradient[index] == pytest.approx((ends[0] - ends[1]) / (2 * width), rel=1e-3, abs=0.02)


def test_predictions_stand_in_the_order_of_the_reviews() -> None:
    weights = different_weights(5)
    simulated = simulated_reviews(3000, weights, 6)
    later = np.ones(3000, dtype=np.bool_)
    later[np.cumsum(simulated.lengths) - simulated.lengths] = False
    assert recall_of(laid_out(simulated), weights)[later] == pytest.approx(simulated.recall[later], rel=1e-9)


def test_the_fit_predicts_better_than_the_default_weights_and_nearly_as_well_as_the_truth() -> None:
    weights = different_weights(3)
    found = fit(laid_out(simulated_reviews(12_000, weights, 4)))
    assert found.converged
    unseen = laid_out(simulated_reviews(12_000, weights, 5))
    fitted, default, truth = (
        loss_and_gradient(unseen, np.array(each))[0] / unseen.trials for each in (found.weights, DEFAULT_WEIGHTS, weights)
    )
    assert fitted < default - 0.005
    assert fitted < truth + 0.002


def test_known_weights_lie_within_the_deviations_that_are_stated() -> None:
    inside = []
    for seed in range(4):
        weights = different_weights(seed)
        reviews = laid_out(simulated_reviews(8000, weights, seed + 50))
        found = fit(reviews)
        errors = (np.array(found.weights) - np.array(weights)) / deviations(reviews, found.weights)
        inside.extend((np.abs(errors) < 1.645)[np.isfinite(errors)])
    assert np.mean(inside) > 0.8


def test_no_other_optimiser_finds_a_lower_log_loss() -> None:
    reviews = laid_out(simulated_reviews(3000, different_weights(8), 9))
    found = fit(reviews)
    bounds = list(zip(LEAST_WEIGHTS, GREATEST_WEIGHTS, strict=True))
    theirs = minimize(lambda w: loss_and_gradient(reviews, w), DEFAULT_WEIGHTS, jac=True, method="L-BFGS-B", bounds=bounds)
    # Ours gives up a little of the log-loss to the prior.
    assert found.log_loss <= theirs.fun / reviews.trials + 0.001


def test_without_a_trial_the_weights_are_the_default_ones() -> None:
    for reviews in (Reviews.of([], [], []), Reviews.of([1, 2], [3, 3, 1], [0, 0, 0])):
        found = fit(reviews)
        assert found.weights == pytest.approx(DEFAULT_WEIGHTS)
        assert found.trials == 0
        assert found.log_loss == 0


def test_a_few_reviews_move_the_weights_a_little() -> None:
    found = fit(Reviews.of([3], [3, 1, 3], [0, 2, 5]))
    assert np.array(found.weights) == pytest.approx(np.array(DEFAULT_WEIGHTS), rel=0.8, abs=0.05)
    assert found.log_loss <= found.default_log_loss


@pytest.mark.parametrize("rating", [1, 4])
def test_ratings_that_are_all_alike_leave_the_weights_in_their_bounds(rating: int) -> None:
    reviews = Reviews.of([40] * 30, [rating] * 1200, [10_000] * 1200)
    weights = np.array(fit(reviews).weights)
    assert np.isfinite(weights).all()
    assert (weights >= np.array(LEAST_WEIGHTS)).all()
    assert (weights <= np.array(GREATEST_WEIGHTS)).all()
    assert np.isfinite(deviations(reviews, tuple(weights))[weights > np.array(LEAST_WEIGHTS) + 1e-9]).any()


def test_only_the_first_reviews_of_a_memory_count() -> None:
    reviews = Reviews.of([200, 2], [3] * 202, [1] * 202)
    assert len(reviews.rating) == MOST_REVIEWS + 2
    assert reviews.kept.tolist() == [True] * MOST_REVIEWS + [False] * (200 - MOST_REVIEWS) + [True] * 2


def test_impossible_reviews_are_refused() -> None:
    with pytest.raises(ValueError, match="rating"):
        Reviews.of([1], [5], [0])
    with pytest.raises(ValueError, match="days"):
        Reviews.of([1], [3], [-1])
    with pytest.raises(ValueError, match="as many"):
        Reviews.of([2], [3], [0])


@given(st.lists(st.integers(1, 9), max_size=20))
def test_steps_hold_every_element_once_and_what_comes_before_it(lengths: list[int]) -> None:
    steps = Steps.of(lengths)
    assert sorted(steps.place.tolist()) == list(range(sum(lengths)))
    assert np.repeat(np.arange(len(lengths)), lengths)[steps.place].tolist() == steps.sequence.tolist()
    for here, before in steps.forward():
        assert (steps.place[here] == steps.place[before] + 1).all()
        assert (steps.sequence[here] == steps.sequence[before]).all()
    assert list(steps.backward()) == list(steps.forward())[::-1]


def test_the_minimum_of_a_bent_valley_is_found_and_bounds_hold() -> None:
    def rosenbrock(at: np.ndarray) -> tuple[float, np.ndarray]:
        x, y = at
        return (1 - x) ** 2 + 100 * (y - x * x) ** 2, np.array([2 * (x - 1) - 400 * x * (y - x * x), 200 * (y - x * x)])

    free = minimise(rosenbrock, np.array([-1.2, 1.0]), np.full(2, -5.0), np.full(2, 5.0), tolerance=1e-14)
    assert free.place == pytest.approx([1, 1], abs=1e-4)
    held = minimise(rosenbrock, np.array([-1.2, 1.0]), np.full(2, -5.0), np.array([0.5, 5.0]), tolerance=1e-14)
    assert held.place == pytest.approx([0.5, 0.25], abs=1e-4)
    stopped = minimise(rosenbrock, np.array([-1.2, 1.0]), np.full(2, -5.0), np.full(2, 5.0), most_iterations=3)
    assert not stopped.converged
