import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.paths.effort import NEVER_PRACTISED, Mastery, Minutes, Pace, attempts_to, minutes_to, total
from domain.psychometrics import bkt
from tests.unit.paths.making import at

targets = st.floats(0.5, 0.99)
means = st.floats(0.0, 1.0)


@given(means, means, targets)
def test_the_more_is_mastered_the_less_is_expected(one: float, other: float, target: float) -> None:
    weak, strong = sorted((one, other))
    assert attempts_to(at(weak), target)[0] >= attempts_to(at(strong), target)[0] - 1e-9


@given(means, targets, targets)
def test_the_higher_the_target_the_more_is_expected(mean: float, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert attempts_to(at(mean), high)[0] >= attempts_to(at(mean), low)[0] - 1e-9


@given(means, targets, st.integers(0, 1_000), st.floats(0.0, 1e6))
def test_the_interval_holds_the_expectation(mean: float, target: float, answers: int, seconds: float) -> None:
    expected, lower, upper = minutes_to(at(mean), target, Pace(answers, min(seconds, answers * 600)))
    assert 0 <= lower <= expected <= upper
    assert expected >= 1


def test_an_answer_of_hours_counts_as_ten_minutes_and_a_clock_going_back_as_none() -> None:
    assert Pace().after(7_200).after(-5) == Pace(2, 600.0)


def test_the_whole_adds_up_and_its_interval_as_independent_parts_do() -> None:
    assert total([Minutes(10, 7, 14), Minutes(20, 16, 23)]) == Minutes(30, 25, 35)
    assert total([]) == Minutes(0, 0, 0)


def test_a_skill_never_practised_is_what_the_mastery_estimate_says_of_one() -> None:
    tracing = bkt.Tracing()
    assert tuple(NEVER_PRACTISED) == pytest.approx(tuple(tracing.estimate(tracing.new_skill())), abs=0.02)


@pytest.mark.parametrize(("warm_up", "target"), [(0, 0.8), (0, 0.9), (5, 0.8), (10, 0.8)])
def test_in_simulation_the_interval_covers_and_the_expectation_is_near(warm_up: int, target: float) -> None:
    """Simulated learners whose parameters are drawn from the ranges that the mastery estimate assumes, measured by that estimate."""
    random = np.random.default_rng(20)
    tracing = bkt.Tracing()
    needed: list[int] = []
    expected: list[float] = []
    covered = 0
    for _ in range(600):
        prior, learn, guess, slip = (random.uniform(*ends) for ends in ((0.05, 0.75), (0.02, 0.3), (0.05, 0.35), (0.02, 0.2)))
        mastered = random.random() < prior
        state = tracing.new_skill()
        estimate: tuple[float, float, float] | None = None
        for attempt in range(400):
            mean, lower, upper = tracing.estimate(state)
            if attempt == warm_up and mean < target:
                estimate = attempts_to(Mastery(mean, lower, upper), target)
            if mean >= target:
                break
            right = random.random() < (1 - slip if mastered else guess)
            (state,) = tracing.observe([state], float(right))
            mastered = mastered or random.random() < learn
        if estimate is not None:
            needed.append(attempt - warm_up)
            expected.append(estimate[0])
            covered += int(estimate[1]) <= needed[-1] <= np.ceil(estimate[2])
    assert covered / len(needed) >= 0.85
    assert np.mean(expected) == pytest.approx(np.mean(needed), rel=0.25)
