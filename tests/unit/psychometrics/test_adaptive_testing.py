"""The choice of the next item: as good as a scan of everything, spread as the exposure control says, with its true probability."""

from collections import Counter
from math import inf, nan
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.psychometrics.adaptive_testing import ExposureControl, NoItemLeft, Selector
from domain.psychometrics.adaptive_testing_simulation import (
    Stop,
    simulate_random_tests,
    simulate_tests,
    sympson_hetter_parameters,
)
from domain.psychometrics.irt import Items, information
from domain.shared.errors import InvalidInput


def pool(count: int, seed: int = 1) -> Items:
    chance = np.random.default_rng(seed)
    return Items.of(1.7 * np.exp(chance.normal(0, 0.4, count)), chance.normal(0, 1.3, count), chance.uniform(0, 0.25, count))


@pytest.fixture(scope="module")
def large() -> Selector:
    return Selector.of(pool(2000))


@given(st.floats(-7, 7), st.sets(st.integers(0, 1999), max_size=60), st.randoms())
@settings(deadline=None)
def test_without_control_it_is_the_best_item_of_all(large: Selector, ability: float, used: set[int], random: Random) -> None:
    pick = large.next(ability, used, None, random)
    told = information(large.items, ability)
    told[list(used)] = -1
    assert told[pick.index] >= told.max() * (1 - 1e-9)
    assert pick.propensity == 1


@given(st.floats(-6, 6), st.integers(0, 2**32))
@settings(deadline=None)
def test_what_is_used_or_not_allowed_is_never_chosen(large: Selector, ability: float, seed: int) -> None:
    chance = np.random.default_rng(seed)
    allowed = chance.random(2000) < 0.01
    used = set(np.flatnonzero(allowed)[::2].tolist())
    left = set(np.flatnonzero(allowed).tolist()) - used
    for control in (ExposureControl.none(), ExposureControl.randomesque(4), ExposureControl.sympson_hetter(np.full(2000, 0.3))):
        selector = Selector(large.items, control, large.ranked, large._lists, large._parameters)
        if left:
            assert selector.next(ability, used, allowed, Random(seed)).index in left
        else:
            with pytest.raises(NoItemLeft):
                selector.next(ability, used, allowed, Random(seed))


@pytest.mark.parametrize("used", [set(), {3, 4, 5}])
def test_randomesque_draws_each_of_the_best_as_often(used: set[int]) -> None:
    selector = Selector.of(pool(50), ExposureControl.randomesque(4))
    told = information(selector.items, 0.3)
    told[list(used)] = -1
    best = set(np.argsort(-told)[:4].tolist())
    random = Random(1)
    picks = [selector.next(0.3, used, None, random) for _ in range(4000)]
    counts = Counter(each.index for each in picks)
    assert set(counts) == best
    assert {each.propensity for each in picks} == {0.25}
    assert all(abs(count / 4000 - 0.25) < 0.035 for count in counts.values())


@pytest.mark.parametrize("least", [0.05, 0.6])
@pytest.mark.parametrize("count", [12, 300])
def test_sympson_hetter_draws_with_the_propensity_it_says(least: float, count: int) -> None:
    acceptance = np.random.default_rng(2).uniform(least, least + 0.2, count)
    selector = Selector.of(pool(count), ExposureControl.sympson_hetter(acceptance))
    random = Random(2)
    picks = [selector.next(-0.5, {1, 2}, None, random) for _ in range(20_000)]
    propensity = {each.index: each.propensity for each in picks}
    counts = Counter(each.index for each in picks)
    assert sum(propensity.values()) <= 1 + 1e-9
    for index, chance in propensity.items():
        assert counts[index] / 20_000 == pytest.approx(chance, abs=4.5 * np.sqrt(chance * (1 - chance) / 20_000) + 1e-4)


def test_the_best_item_is_refused_as_often_as_its_acceptance_says() -> None:
    acceptance = np.ones(40)
    best = int(information(pool(40), 0.0).argmax())
    acceptance[best] = 0.2
    selector = Selector.of(pool(40), ExposureControl.sympson_hetter(acceptance))
    random = Random(4)
    picks = [selector.next(0.0, (), None, random) for _ in range(5000)]
    assert {each.propensity for each in picks} == {0.2, 0.8}
    assert np.mean([each.index == best for each in picks]) == pytest.approx(0.2, abs=0.02)


def test_the_same_seed_gives_the_same_choices(large: Selector) -> None:
    selector = Selector(large.items, ExposureControl.randomesque(5), large.ranked, large._lists, large._parameters)
    runs = [[selector.next(each / 10, (), None, random) for each in range(-30, 30)] for random in (Random(7), Random(7))]
    assert runs[0] == runs[1]


def test_fewer_items_than_asked_for_share_the_chance() -> None:
    selector = Selector.of(pool(3), ExposureControl.randomesque(10))
    assert selector.next(0.0, {0}, None, Random(1)).propensity == 0.5
    assert selector.next(0.0, {0, 1}, None, Random(1)) == (2, 1.0)


def test_an_empty_pool_is_refused_with_words() -> None:
    with pytest.raises(InvalidInput, match="nothing to choose from"):
        Selector.of(Items(np.empty(0), np.empty(0), np.empty(0)))


def test_a_pool_that_is_used_up_says_so() -> None:
    with pytest.raises(NoItemLeft, match="each of the 2 items"):
        Selector.of(pool(2)).next(0.0, {0, 1}, None, Random(1))


@pytest.mark.parametrize("ability", [nan, inf, -inf])
def test_an_ability_that_is_no_number_is_refused(ability: float) -> None:
    with pytest.raises(InvalidInput, match="ability"):
        Selector.of(pool(2)).next(ability, (), None, Random(1))


def test_a_list_of_allowed_items_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidInput, match="allowed"):
        Selector.of(pool(5)).next(0.0, (), np.zeros(5, dtype=bool)[:3], Random(1))


def test_items_that_no_pool_can_hold_are_refused() -> None:
    with pytest.raises(InvalidInput, match="slope"):
        Selector.of(Items(np.array([1.0, nan]), np.zeros(2), np.zeros(2)))


@pytest.mark.parametrize("parameters", [[], [0.5, 0.0], [0.5, nan], [0.5, 1.1], [[0.5]]])
def test_impossible_acceptances_are_refused(parameters: list[float]) -> None:
    with pytest.raises(InvalidInput, match="parameters"):
        ExposureControl.sympson_hetter(parameters)


def test_acceptances_must_be_one_an_item() -> None:
    with pytest.raises(InvalidInput, match="one for each"):
        Selector.of(pool(3), ExposureControl.sympson_hetter([0.5, 0.5]))
    with pytest.raises(InvalidInput, match="at least 1"):
        ExposureControl.randomesque(0)


STOP = Stop(error=0.4, longest=60)


@pytest.mark.parametrize(
    "control", [ExposureControl.none(), ExposureControl.randomesque(3), ExposureControl.sympson_hetter(np.full(30, 0.4))]
)
def test_simulated_first_choices_are_those_of_the_selector(control: ExposureControl) -> None:
    selector = Selector.of(pool(30), control)
    tests = simulate_tests(selector, np.zeros(20_000), Stop(error=0.01, longest=1), np.random.default_rng(1))
    random = Random(1)
    propensity = {each.index: each.propensity for each in (selector.next(0.0, (), None, random) for _ in range(5000))}
    for index, chance in propensity.items():
        assert tests.exposure[index] == pytest.approx(chance, abs=4.5 * np.sqrt(chance * (1 - chance) / 20_000) + 1e-4)


def test_adaptive_tests_are_much_shorter_than_random_ones_and_as_accurate() -> None:
    items, chance = pool(85, 3), np.random.default_rng(3)
    abilities = chance.standard_normal(2000)
    adaptive, at_random = (
        simulate_tests(Selector.of(items), abilities, STOP, chance),
        simulate_random_tests(items, abilities, STOP, chance),
    )
    assert adaptive.length.mean() < 0.5 * at_random.length.mean()
    for tests in (adaptive, at_random):
        assert np.abs((tests.estimate - abilities).mean()) < 0.04
        assert np.sqrt(((tests.estimate - abilities) ** 2).mean()) < 0.43
        assert (tests.error[tests.length < 60] <= STOP.error).all()
        assert tests.exposure.sum() == pytest.approx(tests.length.mean())


def test_acceptances_keep_every_item_below_the_maximum_exposure() -> None:
    items, chance = pool(85, 3), np.random.default_rng(4)
    acceptance = sympson_hetter_parameters(items, 0.35, STOP, chance)
    assert ((acceptance > 0) & (acceptance <= 1)).all()
    controlled = Selector.of(items, ExposureControl.sympson_hetter(acceptance))
    tests = simulate_tests(controlled, chance.standard_normal(10_000), STOP, chance)
    assert tests.exposure.max() <= 0.36
    assert simulate_tests(Selector.of(items), np.zeros(10), STOP, chance).exposure.max() == 1


def test_a_pool_too_small_for_the_maximum_exposure_is_refused() -> None:
    with pytest.raises(InvalidInput, match="make no test"):
        sympson_hetter_parameters(pool(10), 0.2, Stop(error=0.3, longest=20, shortest=5), np.random.default_rng(1))
    with pytest.raises(InvalidInput, match="maximum_rate"):
        sympson_hetter_parameters(pool(10), nan, STOP, np.random.default_rng(1))


@pytest.mark.parametrize("stop", [Stop(0.0, 10), Stop(nan, 10), Stop(0.4, 0), Stop(0.4, 5, 6)])
def test_impossible_stopping_rules_are_refused(stop: Stop) -> None:
    with pytest.raises(InvalidInput, match="stop"):
        simulate_tests(Selector.of(pool(5)), np.zeros(3), stop, np.random.default_rng(1))
    with pytest.raises(InvalidInput, match="abilities"):
        simulate_tests(Selector.of(pool(5)), np.array([nan]), STOP, np.random.default_rng(1))
