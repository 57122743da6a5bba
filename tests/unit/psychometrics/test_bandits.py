from itertools import pairwise
from math import erf, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.psychometrics.bandits import (
    LinearPosterior,
    checked,
    fitted,
    greatest_probabilities,
    linucb_probabilities,
    linucb_scores,
    prior,
    thompson_probabilities,
    updated,
)

ARMS = st.lists(st.tuples(st.floats(-5, 5), st.floats(1e-3, 30)), min_size=1, max_size=7)


def some_arms(seed: int, arms: int = 4, dimensions: int = 3) -> list[LinearPosterior]:
    """Arms that have each seen thirty rewards."""
    chance = np.random.default_rng(seed)
    return [fitted(prior(dimensions), chance.normal(size=(30, dimensions)), chance.normal(n / 4, 1, 30)) for n in range(arms)]


@given(ARMS)
def test_the_probabilities_of_being_the_greatest_sum_to_one(arms):
    found = greatest_probabilities(*zip(*arms, strict=True))
    assert found.sum() == pytest.approx(1.0, abs=1e-12)
    assert (found >= 0).all()


@given(ARMS, st.randoms(use_true_random=False))
def test_the_order_of_the_arms_does_not_matter(arms, random):
    order = list(range(len(arms)))
    random.shuffle(order)
    found = greatest_probabilities(*zip(*arms, strict=True))
    shuffled = greatest_probabilities(*zip(*[arms[each] for each in order], strict=True))
    assert shuffled == pytest.approx(found[order], abs=1e-10)


@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(1e-4, 50), st.floats(1e-4, 50))
def test_two_arms_have_the_probability_that_the_difference_of_two_gaussians_is_positive(one, other, s, t):
    exact = 0.5 * (1 + erf((one - other) / sqrt(2 * (s * s + t * t))))
    assert greatest_probabilities([one, other], [s, t])[0] == pytest.approx(exact, abs=1e-9)


@given(st.integers(0, 10**6))
def test_a_shift_or_a_change_of_unit_changes_nothing(seed):
    chance = np.random.default_rng(seed)
    means, deviations = chance.normal(size=4), np.exp(chance.normal(size=4))
    found = greatest_probabilities(means, deviations)
    assert greatest_probabilities(7.0 + 3.0 * means, 3.0 * deviations) == pytest.approx(found, abs=1e-9)


def test_probabilities_agree_with_a_million_draws():
    means, deviations = np.array([0.1, 0.0, -0.3, 0.25]), np.array([0.5, 1.5, 0.2, 0.01])
    draws = np.random.default_rng(1).normal(means, deviations, (1_000_000, 4)).argmax(axis=1)
    assert greatest_probabilities(means, deviations) == pytest.approx(np.bincount(draws, minlength=4) / 1e6, abs=2e-3)


def test_probabilities_agree_with_adaptive_quadrature():
    integrate, stats = pytest.importorskip("scipy.integrate"), pytest.importorskip("scipy.stats")
    m, s = [0.0, 0.4, -1.0], [1.0, 0.05, 3.0]
    for i in range(3):
        others = [j for j in range(3) if j != i]
        cuts = sorted({m[j] + k * s[j] for j in range(3) for k in range(-8, 9) if abs(m[j] + k * s[j] - m[i]) < 9 * s[i]})
        ends = [m[i] - 9 * s[i], *cuts, m[i] + 9 * s[i]]

        def density(x, i=i, others=others):
            return stats.norm.pdf(x, m[i], s[i]) * np.prod([stats.norm.cdf(x, m[j], s[j]) for j in others])

        exact = sum(integrate.quad(density, low, high, epsabs=1e-13)[0] for low, high in pairwise(ends))
        assert greatest_probabilities(m, s)[i] == pytest.approx(exact, abs=1e-9)


def test_arms_that_are_certain_and_equal_share():
    assert greatest_probabilities([1, 1, 0], [0, 0, 0]) == pytest.approx([0.5, 0.5, 0], abs=1e-9)
    assert greatest_probabilities([0, 0, 0], [0, 0, 0]) == pytest.approx([1 / 3] * 3)


def test_thompson_sampling_is_that_of_the_arms_expected_rewards():
    arms, context = some_arms(3), np.array([1.0, 0.3, -0.7])
    chance = np.random.default_rng(5)
    drawn = np.stack([chance.multivariate_normal(each.mean, each.covariance, 200_000) @ context for each in arms])
    shares = np.bincount(drawn.argmax(axis=0), minlength=4) / 200_000
    assert thompson_probabilities(arms, context) == pytest.approx(shares, abs=5e-3)


def test_rewards_one_by_one_give_what_all_at_once_give_in_any_order():
    chance = np.random.default_rng(2)
    contexts, rewards = chance.normal(size=(40, 3)), chance.normal(size=40)
    posterior = prior(3, deviation=2.0, noise=0.5)
    for place in chance.permutation(40):
        posterior = updated(posterior, contexts[place], rewards[place])
    at_once = fitted(prior(3, deviation=2.0, noise=0.5), contexts, rewards)
    assert posterior.mean == pytest.approx(at_once.mean, abs=1e-9)
    assert posterior.covariance == pytest.approx(at_once.covariance, abs=1e-9)


def test_rewards_make_an_arm_surer_and_never_less_sure():
    posterior, context = prior(2), np.array([1.0, 0.5])
    for reward in (0.0, 1.0, 1.0):
        after = updated(posterior, context, reward)
        assert context @ after.covariance @ context < context @ posterior.covariance @ context
        assert np.linalg.eigvalsh(after.covariance)[0] > 0
        posterior = after


def test_known_coefficients_are_found():
    chance = np.random.default_rng(9)
    contexts, truth = chance.normal(size=(5_000, 3)), np.array([0.5, -1.0, 2.0])
    found = fitted(prior(3), contexts, contexts @ truth + chance.normal(0, 0.5, 5_000))
    assert found.mean == pytest.approx(truth, abs=0.03)


def test_linucb_prefers_the_uncertain_of_two_equal_arms_and_leaves_each_its_share():
    sure, unsure = prior(1, deviation=0.1), prior(1, deviation=1.0)
    assert linucb_scores([sure, unsure], [1.0], width=2.0) == pytest.approx([0.2, 2.0])
    assert linucb_probabilities([sure, unsure], [1.0], exploration=0.1) == pytest.approx([0.05, 0.95])
    assert linucb_probabilities([sure, sure], [1.0]) == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: greatest_probabilities([], []),
        lambda: greatest_probabilities([0, float("nan")], [1, 1]),
        lambda: greatest_probabilities([0, 0], [1, -1]),
        lambda: thompson_probabilities([], [1.0]),
        lambda: thompson_probabilities([prior(2)], [1.0]),
        lambda: thompson_probabilities([prior(2), prior(3)], [1.0, 1.0]),
        lambda: updated(prior(1), [float("inf")], 0.0),
        lambda: updated(prior(1), [1.0], float("nan")),
        lambda: fitted(prior(2), np.ones((3, 1)), np.ones(3)),
        lambda: linucb_probabilities([prior(1)], [1.0], exploration=0.0),
        lambda: prior(0),
        lambda: checked(LinearPosterior(np.zeros(2), np.array([[1.0, 2.0], [2.0, 1.0]]), 1.0)),
        lambda: checked(LinearPosterior(np.zeros(2), np.eye(2), 0.0)),
    ],
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=r"\w"):
        wrong()
