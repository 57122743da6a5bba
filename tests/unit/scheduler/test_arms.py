from collections import Counter
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.scheduler.arms import contexts_of, probabilities_of_arms
from domain.scheduler.decide import Difficulties, decide
from domain.scheduler.model import Decision
from domain.scheduler.policy import CONTEXT, PRACTICE_2, Arm, Bandit, BanditKind, Policy, Posterior, Weights
from domain.scheduler.pool import compiled
from domain.scheduler.scoring import History, SkillView
from domain.scheduler.state import LearnerState
from tests.unit.scheduler.making import ID, NOW, learner_with, publication, request, update

D = len(CONTEXT)


def posterior(first: float, deviation: float = 0.3) -> Posterior:
    covariance = tuple(tuple(deviation**2 * float(i == j) for j in range(D)) for i in range(D))
    return Posterior((first, *(0.0,) * (D - 1)), covariance, 0.25)


THREE = (
    Arm("challenge", Weights(challenge=1.0), 0.2, share=0.5),
    Arm("inform", Weights(information=1.0), 0.1, share=0.3),
    Arm("best", Weights(challenge=0.5, information=0.5), 0.0, share=0.2),
)
MIXED = replace(PRACTICE_2, version="mixed-1", arms=THREE, recorded=200)
POOL = compiled(publication(5, ("a",)))
DIFFICULTIES = Difficulties(np.linspace(-2.0, 2.0, 5), np.ones(5, dtype=np.bool_))


def decided(policy: Policy, number: int, size: int = 2) -> Decision:
    return decide(POOL, DIFFICULTIES, learner_with(a=0.5), policy, request(size, f"{ID}-{number}"), NOW)


def test_the_propensities_of_a_mixture_are_those_of_the_whole_policy() -> None:
    times = 4_000
    decisions = [decided(MIXED, n) for n in range(times)]
    arms = Counter(each.arm for each in decisions)
    for arm in THREE:
        assert arms[arm.name] == pytest.approx(times * arm.share, abs=4 * (times * arm.share) ** 0.5)
    # What each pair of places was recorded to have, whichever arm was drawn, is how often it came.
    recorded: dict[tuple[str, ...], set[float]] = {}
    seen: Counter[tuple[str, ...]] = Counter()
    for each in decisions:
        items = tuple(choice.item for choice in each.choices)
        seen[items] += 1
        recorded.setdefault(items, set()).add(round(each.choices[0].propensity * each.choices[1].propensity, 9))
    assert all(len(each) == 1 for each in recorded.values())
    chances = {items: next(iter(each)) for items, each in recorded.items()}
    assert sum(chances.values()) == pytest.approx(1.0, abs=0.01)  # of pairs that never came, nothing is recorded
    statistic = sum((seen[items] - times * chance) ** 2 / (times * chance) for items, chance in chances.items())
    assert statistic < 60  # Pearson's chi-square with at most 19 degrees of freedom: exceeded four times in a million


def test_at_the_first_place_the_candidates_have_the_probability_of_the_whole_policy() -> None:
    decision = decided(MIXED, 1, 1)
    assert sum(each.propensity for each in decision.candidates) == pytest.approx(1.0)
    shown = next(each for each in decision.candidates if each.item == decision.choices[0].item)
    assert shown.propensity == pytest.approx(decision.choices[0].propensity)
    assert decision.arms == tuple((each.name, each.share) for each in THREE)


def test_a_whole_order_has_the_mixture_of_its_probabilities_by_the_arms() -> None:
    decision = decided(MIXED, 3, 5)
    of_arms = []
    for arm in THREE:
        alone = replace(MIXED, arms=(replace(arm, share=1.0),))
        scores = {each.item: each.score for each in decided(alone, 3, 1).candidates}
        left = dict(scores)
        chance = 1.0
        for choice in decision.choices:
            if arm.temperature:
                weights = {item: np.exp((score - max(left.values())) / arm.temperature) for item, score in left.items()}
            else:
                weights = {item: float(score == max(left.values())) for item, score in left.items()}
            chance *= weights[choice.item] / sum(weights.values())
            del left[choice.item]
        of_arms.append(arm.share * chance)
    assert np.prod([each.propensity for each in decision.choices]) == pytest.approx(sum(of_arms))


def test_a_bandit_draws_an_arm_as_often_as_it_says_and_the_record_has_the_context() -> None:
    bandit = Bandit(BanditKind.THOMPSON, (posterior(0.1), posterior(0.3), posterior(0.2)))
    policy = replace(MIXED, bandit=bandit)
    decisions = [decided(policy, n, 1) for n in range(1_000)]
    shares = dict(decisions[0].arms)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["inform"] == max(shares.values())
    counts = Counter(each.arm for each in decisions)
    for arm, share in shares.items():
        assert counts[arm] == pytest.approx(1_000 * share, abs=5 * (1_000 * share) ** 0.5)
    assert len(decisions[0].context) == D


@pytest.mark.parametrize("exploration", [0.05, 0.5])
def test_linucb_takes_the_greatest_bound_and_leaves_every_arm_a_chance(exploration: float) -> None:
    bandit = Bandit(BanditKind.LINUCB, (posterior(0.1), posterior(0.3), posterior(0.2)), exploration=exploration)
    shares = probabilities_of_arms(replace(MIXED, bandit=bandit), (1.0, *(0.0,) * (D - 1)))
    assert shares == pytest.approx((exploration / 3, 1 - 2 * exploration / 3, exploration / 3))


@given(st.permutations(range(3)))
def test_the_order_of_the_arms_does_not_change_their_probabilities(order: list[int]) -> None:
    posteriors = [posterior(0.1), posterior(0.3, 0.5), posterior(0.2, 0.1)]
    context = (1.0, 0.2, 0.5, 0.1, 0.9, 0.0)
    straight = probabilities_of_arms(replace(MIXED, bandit=Bandit(BanditKind.THOMPSON, tuple(posteriors))), context)
    turned = Bandit(BanditKind.THOMPSON, tuple(posteriors[each] for each in order))
    shuffled = replace(MIXED, arms=tuple(THREE[each] for each in order), bandit=turned)
    assert probabilities_of_arms(shuffled, context) == pytest.approx([straight[each] for each in order])


def test_the_context_says_what_it_promises() -> None:
    pool = compiled(publication(6, ("a", "b")))
    day = 86_400.0
    state = LearnerState.new().after(
        [update(1, "item-0", mean=0.9, at=NOW.timestamp() - 5 * day, ability=6.0), update(2, "item-2", mean=0.9, ability=6.0)]
    )
    now = np.array([NOW.timestamp()])
    skills, history = SkillView.of(pool, [state], PRACTICE_2), History.of(pool, [state], now)
    contexts = contexts_of(np.array([6.0]), skills, history, [state.sequence], [True], now)
    assert contexts[0] == pytest.approx((1.0, 1.0, (0.9 + PRACTICE_2.prior_mean) / 2, 0.5, 2 / 52, 1.0))


def test_greedy_draws_share_ties_evenly() -> None:
    policy = replace(MIXED, arms=(Arm("best", Weights(novelty=1.0), 0.0),))
    seen = Counter(tuple(each.item for each in decided(policy, n, 5).choices) for n in range(2_400))
    assert len(seen) == len(list(permutations(range(5))))
    assert max(seen.values()) < 50
    assert [each.propensity for each in decided(policy, 1, 5).choices] == pytest.approx([1 / 5, 1 / 4, 1 / 3, 1 / 2, 1.0])
