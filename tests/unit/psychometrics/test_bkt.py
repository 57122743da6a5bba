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
    """Corbett and Anderson 1995: P(L|right) = P(L)(1-S) / (P(L)(1-S) + (1-P(L))G); then P(L) + (1-P(L))T."""
    [state] = observe([new_skill()], 1.0)
    prior, learn, guess, slip = (
        each.astype(float) for each in (PARAMETERS.prior, PARAMETERS.learn, PARAMETERS.guess, PARAMETERS.slip)
    )
    known = prior * (1 - slip) / (prior * (1 - slip) + (1 - prior) * guess)
    weight = state.sum(axis=0)
    assert state[0] / weight == pytest.approx(known + (1 - known) * learn, abs=1e-5)
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


def test_the_interval_covers_what_knowing_the_parameters_would_say() -> None:
    """In simulation, the 90 % interval holds P(mastered) by the true parameters about nine times in ten, at every length."""
    random = np.random.default_rng(20)
    lengths = (0, 1, 2, 3, 5, 10, 20)
    learners = 1000
    covered = dict.fromkeys(lengths, 0)
    claimed: list[float] = []
    mastered: list[bool] = []
    for _ in range(learners):
        ranges = ((0.05, 0.75), (0.02, 0.3), (0.05, 0.35), (0.02, 0.2))
        prior, learn, guess, slip = (random.uniform(*each) for each in ranges)
        exact, state, knows = prior, new_skill(), random.random() < prior
        for length in range(max(lengths) + 1):
            if length in covered:
                found = estimate(state)
                # Nothing is told finer than to two thousandths: certainty is held below 0.999.
                covered[length] += found.lower - 0.002 <= exact <= found.upper + 0.002
                claimed.append(found.mean)
                mastered.append(knows)
            right = random.random() < (1 - slip if knows else guess)
            shown = (1 - slip if right else slip) * exact
            exact = shown / (shown + (guess if right else 1 - guess) * (1 - exact))
            exact += (1 - exact) * learn
            knows = knows or random.random() < learn
            [state] = observe([state], float(right))
    assert all(0.84 <= each / learners <= 0.96 for each in covered.values()), covered
    bins = np.minimum((np.array(claimed) * 5).astype(int), 4)
    for each in range(5):
        inside = bins == each
        if inside.sum() > 200:
            assert np.mean(np.array(mastered)[inside]) == pytest.approx(np.mean(np.array(claimed)[inside]), abs=0.07)
