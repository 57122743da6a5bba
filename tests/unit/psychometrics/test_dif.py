"""Mantel and Haenszel's test: one table by hand, and simulated items that are and are not fair."""

import numpy as np
import pytest

from domain.psychometrics.dif import mantel_haenszel
from domain.psychometrics.irt import Items, probabilities
from domain.psychometrics.irt_likelihood import MISSING, Responses
from domain.shared.errors import InvalidInput


def simulated(shifts: dict[int, float], seed: int, learners: int = 3000, items: int = 20) -> tuple[Responses, np.ndarray]:
    """Learners of two groups, the focal one half a logit weaker; `shifts` makes items harder for it."""
    chance = np.random.default_rng(seed)
    focal = np.arange(learners) % 2 == 1
    ability = chance.standard_normal(learners) - 0.5 * focal
    difficulty = chance.normal(0, 0.8, items)
    shifted = difficulty.copy()
    for place, shift in shifts.items():
        shifted[place] += shift
    right = np.where(
        focal[:, None],
        probabilities(Items.of(1.2, shifted), ability),
        probabilities(Items.of(1.2, difficulty), ability),
    )
    return (chance.random(right.shape) < right).astype(np.int8), focal


def test_a_two_by_two_table_gives_its_odds_ratio_and_corrected_chi_squared() -> None:
    # One stratum only: every learner answers item 0 and item 1 oppositely, so that all have a score of 1.
    rows = [([1, 0], False)] * 30 + [([0, 1], False)] * 10 + [([1, 0], True)] * 20 + [([0, 1], True)] * 20
    responses, focal = np.array([each for each, _ in rows], dtype=np.int8), np.array([each for _, each in rows])
    found = mantel_haenszel(responses, focal)[0]
    assert found is not None
    assert found.odds_ratio == pytest.approx(30 * 20 / (10 * 20))
    assert found.delta == pytest.approx(-2.35 * np.log(3))
    variance = 40 * 40 * 50 * 30 / (80**2 * 79)
    assert found.chi_squared == pytest.approx((abs(30 - 25) - 0.5) ** 2 / variance)
    assert found.error == pytest.approx(2.35 * np.sqrt(1 / 30 + 1 / 10 + 1 / 20 + 1 / 20))  # Woolf's, with one stratum


def test_the_items_made_harder_for_a_group_are_found_and_the_others_are_not() -> None:
    responses, focal = simulated({2: 1.2, 9: -1.2}, 1)
    found = mantel_haenszel(responses, focal, purify=True)
    grades = [each.grade if each else None for each in found]
    assert [place for place, grade in enumerate(grades) if grade == "C"] == [2, 9]
    assert found[2] is not None
    assert found[9] is not None
    assert found[2].delta < -1.5 < 1.5 < found[9].delta
    assert found[2].delta == pytest.approx(-2.35 * 1.2 * 1.2, abs=4 * found[2].error)


def test_fair_items_of_groups_that_differ_in_ability_are_seldom_suspected() -> None:
    values = [each.p for seed in range(6) for each in mantel_haenszel(*simulated({}, seed)) if each]
    assert np.mean(np.array(values) < 0.05) < 0.09
    assert all(each.grade == "A" for each in mantel_haenszel(*simulated({}, 20)) if each)


def test_purifying_keeps_unfair_items_from_making_fair_ones_look_unfair() -> None:
    responses, focal = simulated(dict.fromkeys(range(6), 1.5), 3)
    fair = slice(6, None)
    biased, purified = (
        np.mean([each.delta for each in mantel_haenszel(responses, focal, purify)[fair] if each]) for purify in (False, True)
    )
    assert abs(purified) < abs(biased)


def test_swapping_the_groups_turns_the_sign() -> None:
    responses, focal = simulated({1: 0.8}, 5)
    for one, other in zip(mantel_haenszel(responses, focal), mantel_haenszel(responses, ~focal), strict=True):
        assert one is not None
        assert other is not None
        assert one.delta == pytest.approx(-other.delta)
        assert one.p == pytest.approx(other.p)


def test_only_learners_who_answered_everything_count() -> None:
    responses, focal = simulated({}, 6)
    holes = responses.copy()
    holes[::3, 0] = MISSING
    complete = np.arange(len(responses)) % 3 != 0
    assert mantel_haenszel(holes, focal) == mantel_haenszel(responses[complete], focal[complete])


def test_an_item_that_everybody_answered_alike_cannot_be_compared() -> None:
    responses, focal = simulated({}, 7)
    responses[:, 3] = 1
    assert mantel_haenszel(responses, focal)[3] is None


@pytest.mark.parametrize("everybody", [True, False])
def test_one_group_alone_is_refused(everybody: bool) -> None:
    responses, focal = simulated({}, 8)
    with pytest.raises(InvalidInput, match="two groups"):
        mantel_haenszel(responses, np.full_like(focal, everybody))
