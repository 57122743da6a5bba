"""The graded response model: laws, the two-parameter model as its special case, girth, and known parameters."""

from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.psychometrics.irt import Items, eap, information, probability
from domain.psychometrics.irt_fit import fit
from domain.psychometrics.irt_graded import GradedItems, fit_graded, graded_eap, graded_information, score_probabilities
from domain.psychometrics.irt_likelihood import Model
from domain.shared.errors import InvalidInput


def drawn(count: int, seed: int) -> GradedItems:
    chance = np.random.default_rng(seed)
    return GradedItems.of(
        chance.uniform(0.8, 2, count), [np.sort(chance.normal(size=3)) + np.array([-0.4, 0, 0.4]) for _ in range(count)]
    )


def simulated(items: GradedItems, learners: int, seed: int) -> np.ndarray:
    chance = np.random.default_rng(seed)
    reached = np.array([score_probabilities(items, each).cumsum(axis=1) for each in chance.standard_normal(learners)])
    scores: np.ndarray = (chance.random((*reached.shape[:2], 1)) > reached[:, :, :-1]).sum(axis=2).astype(np.int8)
    return scores


@given(st.floats(0.2, 4), st.lists(st.floats(-4, 4), min_size=1, max_size=5, unique=True), st.floats(-8, 8))
def test_the_chances_of_all_scores_add_up_to_one(slope: float, thresholds: list[float], ability: float) -> None:
    chance = score_probabilities(GradedItems.of([slope], [sorted(thresholds)]), ability)
    assert chance.sum() == pytest.approx(1)
    assert (chance >= 0).all()


@given(st.floats(0.2, 4), st.floats(-4, 4), st.floats(-6, 6))
def test_with_one_threshold_it_is_the_two_parameter_model(slope: float, difficulty: float, ability: float) -> None:
    graded, plain = GradedItems.of([slope], [[difficulty]]), Items.of(slope, difficulty)
    assert score_probabilities(graded, ability)[0, 1] == pytest.approx(probability(plain, ability)[0])
    assert graded_information(graded, ability)[0] == pytest.approx(information(plain, ability)[0], rel=1e-6, abs=1e-12)
    for score in (0, 1):
        assert graded_eap(graded, [score]) == pytest.approx(eap(plain, [bool(score)]), abs=1e-3)


def test_items_may_have_different_numbers_of_scores() -> None:
    items = GradedItems.of([1.0, 2.0], [[0.0], [-1.0, 0.0, 1.0]])
    assert score_probabilities(items, 0.5)[0] == pytest.approx([1 - 1 / (1 + np.exp(-0.5)), 1 / (1 + np.exp(-0.5)), 0, 0])


def test_a_higher_score_means_a_higher_ability() -> None:
    items = drawn(4, 1)
    means = [graded_eap(items, [score] * 4).mean for score in range(4)]
    assert means == sorted(means)


def test_known_parameters_come_out_of_simulated_scores() -> None:
    items = drawn(10, 2)
    found = fit_graded(simulated(items, 3000, 2))
    assert found.converged
    assert np.abs((found.items.slope - items.slope) / found.slope_error).max() < 4
    assert np.abs((found.items.threshold - items.threshold) / found.threshold_error).max() < 4


def test_girth_finds_the_same_parameters() -> None:
    girth = pytest.importorskip("girth")
    scores = simulated(drawn(8, 3), 1500, 3)
    found, other = fit_graded(scores), girth.grm_mml(scores.T.astype(int))
    assert found.items.slope == pytest.approx(other["Discrimination"], abs=0.02)
    assert found.items.threshold == pytest.approx(other["Difficulty"], abs=0.05)


def test_right_and_wrong_calibrate_as_in_the_two_parameter_model() -> None:
    scores = (simulated(drawn(8, 4), 1500, 4) > 1).astype(np.int8)
    graded, plain = fit_graded(scores), fit(scores, Model.TWO)
    assert graded.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-3)
    assert graded.items.slope == pytest.approx(plain.items.slope, abs=1e-3)
    assert graded.items.threshold[:, 0] == pytest.approx(plain.items.difficulty, abs=1e-3)


def test_missing_scores_leave_the_parameters_where_they_are() -> None:
    items = drawn(8, 5)
    scores = simulated(items, 4000, 5)
    scores[np.random.default_rng(77).random(scores.shape) < 0.3] = -1
    found = fit_graded(scores)
    assert np.abs((found.items.slope - items.slope) / found.slope_error).max() < 4


@pytest.mark.parametrize(
    ("slope", "threshold", "field"),
    [
        ([0.0], [[0.0]], "slope"),
        ([nan], [[0.0]], "slope"),
        ([1.0], [[]], "threshold"),
        ([1.0], [[1.0, 0.0]], "threshold"),
        ([1.0], [[0.0, inf]], "threshold"),
        ([1.0], [[0.0, nan]], "threshold"),
    ],
)
def test_impossible_items_are_refused_by_name(slope: list[float], threshold: list[list[float]], field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        GradedItems.of(slope, threshold)
    assert refusal.value.violations[0].field == f"items[0].{field}"


@pytest.mark.parametrize("scores", [[0], [0, 4], [0, -1]])
def test_scores_that_an_item_does_not_have_are_refused(scores: list[int]) -> None:
    with pytest.raises(InvalidInput, match="scores"):
        graded_eap(drawn(2, 1), scores)


@pytest.mark.parametrize("table", [[[0, 1]], [[0, 0], [0, 1]], [[0, 0], [2, 1]], [[-1, -1], [-1, -1]]])
def test_tables_with_a_score_nobody_got_are_refused(table: list[list[int]]) -> None:
    with pytest.raises(InvalidInput, match="scores"):
        fit_graded(np.array(table, dtype=np.int8))
