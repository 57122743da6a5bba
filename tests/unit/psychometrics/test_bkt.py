import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.psychometrics import bkt
from domain.psychometrics.bkt import PARAMETERS, estimate, new_skill, observe

scores = st.floats(0, 1)
histories = st.lists(scores, max_size=60)


def after(history: list[float], skills: int = 1) -> list[bkt.State]:
    states = [new_skill()] * skills
    for score in history:
        states = observe(states, score)
    return states


@given(histories, st.integers(1, 20))
def test_estimates_are_probabilities_inside_their_interval(history: list[float], skills: int) -> None:
    for state in after(history, skills):
        found = estimate(state)
        assert 0 < found.lower <= found.mean <= found.upper < 1
        assert np.isfinite(state).all()
        assert state.sum() == pytest.approx(1, abs=1e-4)


@given(histories, scores, scores)
def test_a_better_score_never_lowers_the_mean(history: list[float], one: float, other: float) -> None:
    low, high = sorted((one, other))
    [state] = after(history)
    worse, better = (estimate(observe([state], each)[0]).mean for each in (low, high))
    assert worse <= better + 1e-5


@given(histories)
def test_a_right_answer_to_a_single_skill_never_lowers_the_mean(history: list[float]) -> None:
    [state] = after(history)
    assert estimate(observe([state], 1.0)[0]).mean >= estimate(state).mean - 1e-3


@given(st.lists(histories, min_size=2, max_size=5), scores)
def test_the_order_of_the_skills_does_not_matter(pasts: list[list[float]], score: float) -> None:
    states = [after(each)[0] for each in pasts]
    forward = observe(states, score)
    backward = observe(states[::-1], score)[::-1]
    for one, other in zip(forward, backward, strict=True):
        assert one == pytest.approx(other, abs=1e-5)


@given(histories, scores)
def test_observing_changes_nothing_in_place(history: list[float], score: float) -> None:
    [state] = after(history)
    before = state.copy()
    observe([state, state], score)
    assert (state == before).all()


def test_one_parameter_set_follows_the_published_recursion() -> None:
    """Corbett and Anderson 1995: P(L|right) = P(L)(1-S) / (P(L)(1-S) + (1-P(L))G); then P(L)(1-F) + (1-P(L))T, F for forgetting."""
    [state] = observe([new_skill()], 1.0)
    prior, learn, guess, slip, forget = (each.astype(float) for each in PARAMETERS)
    known = prior * (1 - slip) / (prior * (1 - slip) + (1 - prior) * guess)
    weight = state.sum(axis=0)
    assert state[0] / weight == pytest.approx(known * (1 - forget) + (1 - known) * learn, abs=1e-5)
    likelihood = prior * (1 - slip) + (1 - prior) * guess
    assert weight == pytest.approx(likelihood / likelihood.sum(), abs=1e-6)


def test_a_wrong_answer_is_charged_to_the_weakest_skill() -> None:
    strong, weak = after([1.0] * 8)[0], after([0.0] * 3)[0]
    strong_after, weak_after = observe([strong, weak], 0.0)
    lost = estimate(strong).mean - estimate(strong_after).mean
    alone = estimate(strong).mean - estimate(observe([strong], 0.0)[0]).mean
    assert lost < alone / 5
    assert estimate(weak_after).mean < 0.5


@pytest.mark.parametrize("skills", [1, 2, 3, 8, 20])
def test_a_lesson_of_items_with_several_skills_can_be_mastered(skills: int) -> None:
    assert all(estimate(each).mean > 0.95 for each in after([1.0] * 30, skills))


@pytest.mark.parametrize(("certain_score", "later_score"), [(1.0, 0.0), (0.0, 1.0)])
def test_nothing_is_ever_so_certain_that_later_answers_cannot_change_it(certain_score: float, later_score: float) -> None:
    certain = after([certain_score] * 500)[0]
    changed = certain
    for _ in range(15):
        [changed] = observe([changed], later_score)
    assert abs(estimate(changed).mean - estimate(certain).mean) > 0.3


def simulated(random: np.random.Generator, count: int) -> list[np.ndarray]:
    """True parameters of so many learners' skills, from the ranges that the ensemble spreads over: prior, learn, guess, slip, forget."""
    ranges = ((0.05, 0.75), (0.02, 0.3), (0.05, 0.35), (0.02, 0.2), (0.001, 0.01))
    return [random.uniform(*each, count) for each in ranges]


def test_the_interval_covers_what_knowing_the_parameters_would_say() -> None:
    """In simulation, the 90 % interval holds P(mastered) by the true parameters about nine times in ten, at every length."""
    random = np.random.default_rng(20)
    learners = 4000
    prior, learn, guess, slip, forget = simulated(random, learners)
    exact, states, knows = prior, [new_skill()] * learners, random.random(learners) < prior
    covered: dict[int, float] = {}
    claimed: list[np.ndarray] = []
    mastered: list[np.ndarray] = []
    for length in range(41):
        if length in (0, 1, 2, 3, 5, 10, 20, 40):
            means, lower, upper = np.array(bkt.estimates(states)).T
            covered[length] = float(((lower <= exact) & (exact <= upper)).mean())
            claimed.append(means)
            mastered.append(knows)
        right = random.random(learners) < np.where(knows, 1 - slip, guess)
        shown = np.where(right, 1 - slip, slip) * exact
        exact = shown / (shown + np.where(right, guess, 1 - guess) * (1 - exact))
        exact = exact * (1 - forget) + (1 - exact) * learn
        knows = np.where(knows, random.random(learners) >= forget, random.random(learners) < learn)
        states = bkt.observe_each(states, [1] * learners, right.astype(float).tolist())
    assert all(0.83 <= each <= 0.95 for each in covered.values()), covered
    said, was = np.concatenate(claimed), np.concatenate(mastered)
    bins = np.minimum((said * 10).astype(int), 9)
    for each in range(10):
        assert was[bins == each].mean() == pytest.approx(said[bins == each].mean(), abs=0.05)


@pytest.mark.parametrize("rights", [5, 12, 40])
def test_after_many_right_answers_the_interval_is_still_one(rights: int) -> None:
    """Among learners who answered all of them right, the interval holds P(mastered) by the true parameters about nine times in ten."""
    random = np.random.default_rng(21)
    prior, learn, guess, slip, forget = simulated(random, 100_000)
    exact, chance = prior, np.ones_like(prior)
    for _ in range(rights):
        right = exact * (1 - slip) + (1 - exact) * guess
        chance = chance * right
        exact = exact * (1 - slip) / right
        exact = exact * (1 - forget) + (1 - exact) * learn
    found = estimate(after([1.0] * rights)[0])
    inside = (found.lower <= exact) & (exact <= found.upper)
    assert 0.83 <= np.average(inside, weights=chance) <= 0.97
    assert found.mean == pytest.approx(np.average(exact, weights=chance), abs=0.005)
    assert found.upper - found.lower > 0.005


@given(st.lists(st.tuples(histories, st.integers(1, 3), scores), min_size=1, max_size=8))
def test_answers_observed_together_come_to_exactly_the_same_as_alone(told: list[tuple[list[float], int, float]]) -> None:
    before = [after(history, skills) for history, skills, _ in told]
    alone = [state for states, (_, _, score) in zip(before, told, strict=True) for state in observe(states, score)]
    together = bkt.observe_each(
        [state for states in before for state in states], [skills for _, skills, _ in told], [score for _, _, score in told]
    )
    assert all((one == other).all() for one, other in zip(alone, together, strict=True))
    assert bkt.estimates(together) == [estimate(each) for each in alone]
