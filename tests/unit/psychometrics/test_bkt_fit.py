"""Fitting knowledge tracing: against pyBKT's likelihood and fit, recovery of known parameters, and the laws of the update."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.psychometrics.bkt_classic import Parameters, SkillParameters, checked, observe, predicted
from domain.psychometrics.bkt_fit import (
    GREATEST,
    LEAST,
    MOST_ANSWERS,
    NO_PRIOR,
    Answers,
    fit,
    log_likelihood,
    predicted_each,
)
from lab.fitting.simulated import SimulatedResponses, simulated_parameters, simulated_responses

chances = st.floats(0.01, 0.45)
parameters_of_one = st.builds(Parameters, st.floats(0.01, 0.99), chances, chances, chances, st.floats(0, 0.3))


def laid_out(simulated: SimulatedResponses, skills: int) -> Answers:
    return Answers.of(simulated.lengths, simulated.skills, simulated.correct, skills)


def of_pybkt(simulated: SimulatedResponses, skill: int) -> dict[str, np.ndarray]:
    """The answers to one skill as pyBKT's data: 2 is right, 1 is wrong."""
    chosen = np.flatnonzero(simulated.skills == skill)
    begins = np.cumsum(simulated.lengths) - simulated.lengths
    answers = np.concatenate([simulated.correct[begins[each] : begins[each] + simulated.lengths[each]] for each in chosen])
    lengths = simulated.lengths[chosen]
    return {
        "data": (answers[None].astype(np.int32) + 1),
        "starts": np.cumsum(lengths) - lengths + 1,
        "lengths": lengths,
        "resources": np.ones(len(answers), dtype=np.int64),
    }


def model_of_pybkt(parameters: Parameters) -> dict[str, object]:
    prior, learn, guess, slip, forget = parameters
    return {
        "prior": prior,
        "learns": np.array([learn]),
        "forgets": np.array([forget]),
        "guesses": np.array([guess]),
        "slips": np.array([slip]),
        "As": np.array([[[1 - learn, forget], [learn, 1 - forget]]]),
        "pi_0": np.array([[1 - prior], [prior]]),
        "emissions": np.array([[[1 - guess, guess], [slip, 1 - slip]]]),
    }


@pytest.fixture
def pybkt(monkeypatch: pytest.MonkeyPatch) -> Any:
    """pyBKT's fit, whose expectation step gives a (1, 1) array where newer versions of numpy want a number."""
    from pyBKT.fit import EM_fit

    step = EM_fit.run

    def run(*arguments: object, **named: object) -> dict[str, Any]:
        result: dict[str, Any] = step(*arguments, **named)
        return result | {"total_loglike": result["total_loglike"].item()}

    monkeypatch.setattr(EM_fit, "run", run)
    return EM_fit


def likelihood_by_pybkt(pybkt: Any, simulated: SimulatedResponses, skill: int, parameters: Parameters) -> float:
    empty = np.zeros((1, 2, 2))
    result = pybkt.run(of_pybkt(simulated, skill), model_of_pybkt(parameters), empty, empty, np.zeros((2, 1)), 1, False)
    return float(result["total_loglike"])


@pytest.mark.parametrize("forget", [False, True])
def test_likelihoods_are_those_of_pybkt(pybkt: Any, forget: bool) -> None:
    truth = simulated_parameters(3, 5, forget=forget)
    simulated = simulated_responses(600, truth, 40, 6)
    ours = log_likelihood(laid_out(simulated, 3), truth)
    assert [likelihood_by_pybkt(pybkt, simulated, skill, truth.of(skill)) for skill in range(3)] == pytest.approx(ours.tolist())


@pytest.mark.parametrize("forget", [False, True])
def test_fits_are_at_least_as_likely_as_those_of_pybkt(pybkt: Any, forget: bool) -> None:
    simulated = simulated_responses(1500, simulated_parameters(3, 5, forget=forget), 60, 7)
    found = fit(laid_out(simulated, 3), forget=forget, prior=NO_PRIOR, tolerance=1e-5, most_cycles=300)
    compared = 0
    for skill in range(3):
        start = model_of_pybkt(Parameters(0.4, 0.15, 0.2, 0.1, 0.02 * forget))
        theirs, _ = pybkt.EM_fit(start, of_pybkt(simulated, skill), tol=1e-4, maxiter=300, parallel=False)
        names = ("learns", "guesses", "slips", "forgets")
        fitted = Parameters(float(np.ravel(theirs["pi_0"])[1]), *(float(np.ravel(theirs[name])[0]) for name in names))
        # Theirs has no bounds: where it leaves ours, it may be likelier.
        inside = all(low <= each <= high for each, low, high in zip(fitted[:4], LEAST[:, 0], GREATEST[:, 0], strict=False))
        compared += inside
        assert not inside or found.log_likelihood[skill] >= likelihood_by_pybkt(pybkt, simulated, skill, fitted) - 0.02
    assert compared


def test_known_parameters_are_found_again_as_closely_as_the_deviations_say() -> None:
    truth = simulated_parameters(40, 1)
    found = fit(laid_out(simulated_responses(60_000, truth, 1500, 2), 40))
    errors = np.array(found.parameters)[:4] - np.array(truth)[:4]
    assert (np.sqrt((errors**2).mean(axis=1)) <= [0.08, 0.04, 0.05, 0.025]).all()
    within = np.abs(errors / found.deviations[:4]) < 1.645
    assert 0.82 <= within[np.isfinite(found.deviations[:4])].mean() <= 0.96
    assert found.converged.all()


def test_forgetting_is_found_where_there_is_some() -> None:
    truth = simulated_parameters(20, 3, forget=True)
    found = fit(laid_out(simulated_responses(80_000, truth, 2000, 4), 20), forget=True)
    errors = np.array(found.parameters) - np.array(truth)
    assert (np.sqrt((errors**2).mean(axis=1)) <= [0.08, 0.04, 0.05, 0.03, 0.015]).all()
    assert np.corrcoef(found.parameters.forget, truth.forget)[0, 1] > 0.6


def test_the_fit_has_a_likelihood_that_nothing_near_it_beats() -> None:
    answers = laid_out(simulated_responses(4000, simulated_parameters(5, 8), 200, 9), 5)
    found = fit(answers, prior=NO_PRIOR, tolerance=1e-9, most_cycles=500)
    at = np.array(found.parameters)
    for row, change in product(range(4), (-0.01, 0.01)):
        moved = at.copy()
        moved[row] = np.clip(moved[row] + change, LEAST[row], GREATEST[row])
        assert (log_likelihood(answers, SkillParameters(*moved)) <= found.log_likelihood + 1e-6).all()


def test_the_order_of_the_learners_changes_nothing() -> None:
    simulated = simulated_responses(3000, simulated_parameters(4, 1), 100, 1)
    order = np.random.default_rng(0).permutation(len(simulated.lengths))
    begins = np.cumsum(simulated.lengths) - simulated.lengths
    answers = np.concatenate([simulated.correct[begins[each] : begins[each] + simulated.lengths[each]] for each in order])
    shuffled = Answers.of(simulated.lengths[order], simulated.skills[order], answers, 4)
    assert np.array(fit(shuffled).parameters) == pytest.approx(np.array(fit(laid_out(simulated, 4)).parameters), rel=1e-6)


def test_a_skill_is_fitted_as_if_it_were_alone() -> None:
    simulated = simulated_responses(3000, simulated_parameters(3, 1), 100, 1)
    together = np.array(fit(laid_out(simulated, 3)).parameters)
    answers = laid_out(simulated, 3)
    for skill in range(3):
        alone = np.array(fit(answers.of_skills(np.arange(3) == skill)).parameters)[:, 0]
        assert alone == pytest.approx(together[:, skill], abs=1e-3)


def test_predictions_are_those_of_the_update_answer_by_answer() -> None:
    truth = simulated_parameters(3, 5, forget=True)
    simulated = simulated_responses(300, truth, 20, 6)
    expected, place = [], 0
    for length, skill in zip(simulated.lengths.tolist(), simulated.skills.tolist(), strict=True):
        of = truth.of(skill)
        mastery = of.prior
        for right in simulated.correct[place : place + length]:
            expected.append(predicted(of, mastery))
            mastery = observe(of, mastery, bool(right))
        place += length
    assert predicted_each(laid_out(simulated, 3), truth) == pytest.approx(np.array(expected))


def test_few_answers_leave_parameters_near_what_is_usual() -> None:
    found = fit(Answers.of([1, 2], [0, 0], [True, True, True], 2))
    assert np.isfinite(np.array(found.parameters)).all()
    assert found.parameters.guess[0] < 0.5
    assert found.parameters.slip[0] < 0.2
    assert found.parameters.guess[1] == pytest.approx(0.2)  # no answers at all: the prior
    assert found.log_likelihood[1] == 0


def test_no_answers_at_all_are_no_error() -> None:
    found = fit(Answers.of([], [], [], 2))
    assert found.parameters.prior.tolist() == [0.5, 0.5]


@pytest.mark.parametrize("right", [True, False])
def test_answers_that_are_all_alike_do_not_make_the_parameters_degenerate(right: bool) -> None:
    found = fit(Answers.of([200] * 20, [0] * 20, [right] * 4000, 1), forget=True)
    at = np.array(found.parameters)
    assert ((at >= LEAST) & (at <= GREATEST)).all()


def test_only_the_first_answers_of_a_very_long_chain_count() -> None:
    long = Answers.of([100_000], [0], np.arange(100_000) % 2 == 0, 1)
    assert len(long.correct) == MOST_ANSWERS == long.kept.sum()


@given(parameters_of_one, st.lists(st.booleans(), max_size=30))
def test_mastery_stays_a_probability_and_right_answers_speak_for_it(of: Parameters, answers: list[bool]) -> None:
    mastery = of.prior
    for right in answers:
        assert observe(of, mastery, False) <= observe(of, mastery, True) + 1e-12
        mastery = observe(of, mastery, right)
        assert 0 <= mastery <= 1
        assert 0 <= predicted(of, mastery) <= 1


def test_an_answer_that_the_parameters_call_impossible_says_nothing() -> None:
    assert observe(Parameters(1.0, 0.1, 0.2, 0.0), 1.0, correct=False) == 1.0


def test_impossible_parameters_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="learn must be a probability"):
        checked(Parameters(0.5, 1.5, 0.2, 0.1))
    with pytest.raises(ValueError, match="guess and slip"):
        checked(Parameters(0.5, 0.1, 0.6, 0.5))
    assert checked(Parameters(0.5, 0.1, 0.2, 0.1)) == Parameters(0.5, 0.1, 0.2, 0.1)


def test_chains_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        Answers.of([2], [0], [True], 1)
    with pytest.raises(ValueError, match="skills must be"):
        Answers.of([1], [3], [True], 2)
    with pytest.raises(ValueError, match="at least one"):
        Answers.of([0, 1], [0, 0], [True], 1)
