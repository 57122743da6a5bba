"""Item fit: the chi-squared tail against scipy, score distributions by enumeration, and what simulated items get."""

from itertools import product

import numpy as np
import pytest

from domain.psychometrics.chi_squared import chi_squared_tail
from domain.psychometrics.irt import Items, probabilities
from domain.psychometrics.irt_fit import fit
from domain.psychometrics.irt_item_fit import item_fit, score_distribution
from domain.psychometrics.irt_likelihood import MISSING, Model, Responses


def answers(right: np.ndarray, seed: int) -> Responses:
    return (np.random.default_rng(seed).random(right.shape) < right).astype(np.int8)


def test_the_tail_is_scipys() -> None:
    stats = pytest.importorskip("scipy.stats")
    for degrees in (1, 2, 5, 30, 300):
        for statistic in (0.0, 1e-6, 0.5, 3.84, 25.0, 300.0, 2000.0):
            assert chi_squared_tail(statistic, degrees) == pytest.approx(stats.chi2.sf(statistic, degrees), rel=1e-9, abs=1e-14)


@pytest.mark.parametrize(("statistic", "degrees"), [(-1.0, 2), (1.0, 0), (float("nan"), 2)])
def test_a_tail_that_does_not_exist_is_refused(statistic: float, degrees: int) -> None:
    with pytest.raises(ValueError, match="no such tail"):
        chi_squared_tail(statistic, degrees)


def test_score_distributions_are_what_adding_up_all_patterns_gives() -> None:
    right = np.array([[0.2, 0.5, 0.9], [0.7, 0.1, 0.4]])
    expected = np.zeros((2, 4))
    for pattern in product((0, 1), repeat=3):
        expected[:, sum(pattern)] += np.prod(np.where(pattern, right, 1 - right), axis=1)
    assert score_distribution(right) == pytest.approx(expected)


def test_p_values_of_items_that_fit_are_spread_evenly() -> None:
    values = []
    for seed in range(12):
        chance = np.random.default_rng(seed)
        items = Items.of(chance.uniform(0.7, 2, 15), chance.normal(size=15))
        responses = answers(probabilities(items, chance.standard_normal(1500)), 100 + seed)
        values += [each.p for each in item_fit(responses, fit(responses, Model.TWO).items, Model.TWO)]
    found = np.array(values, dtype=float)
    assert found.mean() == pytest.approx(0.5, abs=0.07)
    assert (found < 0.05).mean() < 0.1


def test_an_item_of_another_shape_has_the_smallest_p() -> None:
    chance = np.random.default_rng(1)
    ability = chance.standard_normal(3000)
    right = probabilities(Items.of(np.full(12, 1.5), np.linspace(-1.5, 1.5, 12)), ability)
    right[:, 5] = np.where(ability < 0, 0.55, 0.5 + 0.4 * np.exp(-((ability - 1) ** 2)))  # rises, then falls again
    responses = answers(right, 2)
    fits = item_fit(responses, fit(responses, Model.TWO).items, Model.TWO)
    assert min(range(12), key=lambda place: fits[place].p or 0) == 5
    assert (fits[5].p or 0) < 1e-6


def test_infit_and_outfit_tell_a_steeper_and_a_flatter_item_from_the_rest() -> None:
    chance = np.random.default_rng(4)
    slopes = np.full(25, 1.0)
    slopes[3], slopes[7] = 3.0, 0.3
    responses = answers(probabilities(Items.of(slopes, chance.normal(0, 0.5, 25)), chance.standard_normal(3000)), 5)
    fits = item_fit(responses, fit(responses, Model.ONE).items, Model.ONE)
    infits = [each.infit or 0 for each in fits]
    assert min(infits) == infits[3] < 0.9
    assert max(infits) == infits[7] > 1.1
    assert np.median(infits) == pytest.approx(1, abs=0.06)
    assert all(each.outfit for each in fits)


def test_without_learners_who_answered_everything_there_is_no_s_x2() -> None:
    responses = answers(np.full((300, 5), 0.6), 1)
    responses[np.arange(300), np.arange(300) % 5] = MISSING
    fits = item_fit(responses, fit(responses, Model.ONE).items, Model.ONE)
    assert all(each.chi_squared is None and each.p is None for each in fits)
    assert all(each.infit is not None for each in fits)


def test_an_item_that_was_not_calibrated_has_no_statistics() -> None:
    responses = answers(np.full((300, 8), 0.6), 1)
    responses[:, 2] = 1
    fits = item_fit(responses, fit(responses, Model.TWO).items, Model.TWO)
    assert fits[2].chi_squared is None
    assert fits[1].chi_squared is not None
