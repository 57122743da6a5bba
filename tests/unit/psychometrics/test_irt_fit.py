"""Calibration: the published solution of LSAT-6, girth's solution, known parameters from simulated answers, and bad tables."""

import numpy as np
import pytest

from domain.psychometrics.irt import Items, probabilities
from domain.psychometrics.irt_fit import fit
from domain.psychometrics.irt_likelihood import MISSING, Likelihood, Model, Responses
from domain.shared.errors import InvalidInput

# The law school admission test, section 6: Bock and Lieberman (1970), 1,000 examinees.
LSAT6 = {
    "00000": 3, "00001": 6, "00010": 2, "00011": 11, "00100": 1, "00101": 1, "00110": 3, "00111": 4, "01000": 1, "01001": 8,
    "01011": 16, "01101": 3, "01110": 2, "01111": 15, "10000": 10, "10001": 29, "10010": 14, "10011": 81, "10100": 3, "10101": 28,
    "10110": 15, "10111": 80, "11000": 16, "11001": 56, "11010": 21, "11011": 173, "11100": 11, "11101": 61, "11110": 28, "11111": 298,
}  # fmt: skip


def lsat6() -> Responses:
    rows = [[int(answer) for answer in pattern] for pattern, count in LSAT6.items() for _ in range(count)]
    return np.array(rows, dtype=np.int8)


def simulated(items: Items, learners: int, seed: int) -> Responses:
    chance = np.random.default_rng(seed)
    return (chance.random((learners, items.slope.size)) < probabilities(items, chance.standard_normal(learners))).astype(np.int8)


def drawn_items(count: int, seed: int, guess: float = 0.0) -> Items:
    chance = np.random.default_rng(seed)
    return Items.of(chance.uniform(0.6, 2.2, count), chance.normal(size=count), guess)


def test_the_two_parameter_solution_of_lsat6_is_the_published_one() -> None:
    found = fit(lsat6(), Model.TWO)
    assert found.converged
    assert found.log_likelihood == pytest.approx(-2466.653, abs=0.001)
    assert found.items.difficulty == pytest.approx([-3.3597, -1.3696, -0.2799, -1.8659, -3.1236], abs=0.003)
    assert found.items.slope == pytest.approx([0.8254, 0.7229, 0.8905, 0.6886, 0.6575], abs=0.001)
    assert found.parameters == 10
    assert found.aic == pytest.approx(4953.307, abs=0.002)


def test_the_one_parameter_model_has_one_slope_and_fits_no_better() -> None:
    one, two = fit(lsat6(), Model.ONE), fit(lsat6(), Model.TWO)
    assert np.ptp(one.items.slope) == 0
    assert one.items.slope[0] == pytest.approx(0.755, abs=0.001)
    assert one.log_likelihood == pytest.approx(-2466.938, abs=0.001)
    assert one.log_likelihood < two.log_likelihood
    assert one.parameters == 6


@pytest.mark.parametrize("model", [Model.ONE, Model.TWO])
def test_girth_finds_the_same_parameters(model: Model) -> None:
    girth = pytest.importorskip("girth")
    items = drawn_items(15, 4)
    responses = simulated(items._replace(slope=np.ones(15)) if model is Model.ONE else items, 1500, 4)
    found = fit(responses, model)
    other = (girth.onepl_mml if model is Model.ONE else girth.twopl_mml)(responses.T.astype(int))
    assert found.items.slope == pytest.approx(np.broadcast_to(other["Discrimination"], 15), abs=0.01)
    assert found.items.difficulty == pytest.approx(other["Difficulty"], abs=0.01)


@pytest.mark.parametrize(("model", "guess"), [(Model.TWO, 0.0), (Model.THREE, 0.2)])
def test_known_parameters_lie_within_the_standard_errors(model: Model, guess: float) -> None:
    items = drawn_items(25, 8, guess)
    found = fit(simulated(items, 4000, 8), model)
    assert found.converged
    for name in ("slope", "difficulty"):
        off = (getattr(found.items, name) - getattr(items, name)) / getattr(found.errors, name)
        assert np.mean(np.abs(off) <= 1.96) >= 0.84  # 0.95 expected; 25 items
        assert np.abs(off).max() < 4
    assert np.corrcoef(found.items.difficulty, items.difficulty)[0, 1] > 0.97
    assert np.sqrt(np.mean((found.items.difficulty - items.difficulty) ** 2)) < 0.25


def test_answers_missing_at_random_leave_the_parameters_where_they_are() -> None:
    items = drawn_items(20, 2)
    responses = simulated(items, 5000, 2)
    responses[np.random.default_rng(99).random(responses.shape) < 0.4] = MISSING
    found = fit(responses, Model.TWO)
    assert found.responses == (responses != MISSING).sum()
    assert np.abs((found.items.difficulty - items.difficulty) / found.errors.difficulty).max() < 4
    assert np.abs((found.items.slope - items.slope) / found.errors.slope).max() < 4


@pytest.mark.parametrize("model", list(Model))
def test_the_gradient_is_what_the_objective_changes_by(model: Model) -> None:
    patterns, counts = np.unique(simulated(drawn_items(4, 1, 0.1), 200, 1), axis=0, return_counts=True)
    likelihood = Likelihood(model, patterns, counts.astype(float))
    point = likelihood.start() + np.random.default_rng(0).uniform(-0.2, 0.2, likelihood.start().shape)
    gradient, _ = likelihood.derivatives(point, likelihood.expected(point))
    for index in np.ndindex(point.shape):
        step = np.zeros_like(point)
        step[index] = 1e-5
        up, down = (likelihood.expected(each).objective for each in (point + step, point - step))
        assert gradient[index] == pytest.approx((up - down) / 2e-5, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("model", list(Model))
def test_the_information_is_what_the_gradient_changes_by(model: Model) -> None:
    patterns, counts = np.unique(simulated(drawn_items(4, 1, 0.1), 200, 1), axis=0, return_counts=True)
    likelihood = Likelihood(model, patterns, counts.astype(float))
    point = likelihood.start() + np.random.default_rng(0).uniform(-0.2, 0.2, likelihood.start().shape)
    information = likelihood.information(point, likelihood.expected(point))
    for column, index in enumerate(np.ndindex(point.shape)):
        step = np.zeros_like(point)
        step[index] = 1e-5
        up, down = (likelihood.derivatives(each, likelihood.expected(each))[0].ravel() for each in (point + step, point - step))
        assert information[:, column] == pytest.approx((down - up) / 2e-5, rel=1e-3, abs=1e-3)


def test_in_large_samples_both_kinds_of_information_agree() -> None:
    patterns, counts = np.unique(simulated(drawn_items(5, 3), 20_000, 3), axis=0, return_counts=True)
    likelihood = Likelihood(Model.TWO, patterns, counts.astype(float))
    found = fit(np.repeat(patterns, counts, axis=0), Model.TWO)
    point = np.stack([found.items.slope, -found.items.slope * found.items.difficulty])
    expected = likelihood.expected(point)
    exact, empirical = (
        np.linalg.inv(each(point, expected)) for each in (likelihood.information, likelihood.empirical_information)
    )
    assert np.sqrt(np.diagonal(empirical)) == pytest.approx(np.sqrt(np.diagonal(exact)), rel=0.1)


def test_items_that_everybody_answered_alike_are_left_out_with_a_note() -> None:
    responses = simulated(drawn_items(6, 5), 400, 5)
    responses[:, 1], responses[:, 3], responses[:, 5] = 1, 0, MISSING
    found = fit(responses, Model.TWO)
    assert [found.notes[each].split(":")[0] for each in (1, 3, 5)] == [
        "everybody answered it right", "everybody answered it wrong", "nobody answered it",
    ]  # fmt: skip
    assert np.isnan(found.items.difficulty[[1, 3, 5]]).all()
    assert found.usable.tolist() == [True, False, True, False, True, False]
    alone = fit(responses[:, [0, 2, 4]], Model.TWO)
    assert found.items.difficulty[[0, 2, 4]] == pytest.approx(alone.items.difficulty)


def test_an_item_with_the_wrong_key_is_named() -> None:
    responses = simulated(drawn_items(10, 6), 1000, 6)
    responses[:, 4] = 1 - responses[:, 4]
    found = fit(responses, Model.TWO)
    assert "key" in found.notes[4]
    assert not found.usable[4]


def test_the_order_of_learners_does_not_matter() -> None:
    responses = simulated(drawn_items(8, 7), 500, 7)
    first, second = fit(responses, Model.TWO), fit(responses[::-1], Model.TWO)
    assert first.items.slope.tolist() == second.items.slope.tolist()


@pytest.mark.parametrize("model", list(Model))
@pytest.mark.parametrize(
    "table",
    [
        [[1, 0], [0, 1]],
        [[1, 1, 0], [1, 1, 0], [0, 0, 1]],
        [[1, 0, -1], [0, -1, 1], [-1, 1, 0]],
        [[1, 1, 1], [0, 0, 0]] * 20,
    ],
)
def test_tiny_and_extreme_tables_end_with_numbers_and_notes(model: Model, table: list[list[int]]) -> None:
    found = fit(np.array(table, dtype=np.int8), model)
    assert np.isfinite(found.log_likelihood)
    assert not np.isnan(found.items.slope).any()


@pytest.mark.parametrize(
    "table",
    [np.empty((0, 0)), np.ones((1, 5)), np.ones((5, 1)), np.ones((9, 9)), np.full((4, 4), MISSING), np.array([[0, 1]] * 3).T[:1]],
)
def test_tables_without_two_learners_and_two_items_are_refused(table: np.ndarray) -> None:
    with pytest.raises(InvalidInput, match="at least 2 learners and 2 items"):
        fit(table.astype(np.int8), Model.TWO)


def test_other_values_than_right_wrong_and_missing_are_refused() -> None:
    with pytest.raises(InvalidInput, match="responses"):
        fit(np.array([[2, 1], [0, 1]], dtype=np.int8), Model.TWO)


def test_each_step_is_told_and_leads_uphill() -> None:
    told: list[float] = []
    fit(lsat6(), Model.TWO, lambda step, log_likelihood: told.append(log_likelihood))
    assert told == sorted(told)
    assert len(told) > 3
