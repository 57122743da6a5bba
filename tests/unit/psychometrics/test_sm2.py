"""SM-2 against the figures of its publication: intervals 1 and 6 days, then times the E-factor; E-factor changes by quality."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.psychometrics.sm2 import FIRST_EASE, LEAST_EASE, MemoryState, again_today, quality_of, review

qualities = st.integers(0, 5)
histories = st.lists(qualities, max_size=40)


def after(history: list[int]) -> MemoryState:
    state = MemoryState()
    for quality in history:
        state = review(state, quality)
    return state


@pytest.mark.parametrize(("quality", "change"), [(5, 0.10), (4, 0.0), (3, -0.14)])
def test_the_e_factor_changes_as_the_published_formula_says(quality: int, change: float) -> None:
    assert review(MemoryState(), quality).ease == pytest.approx(FIRST_EASE + change)


def test_the_intervals_of_steady_good_answers_are_the_published_ones() -> None:
    assert [after([4] * n).interval for n in range(1, 6)] == [1, 6, 15, 38, 95]


def test_the_intervals_of_perfect_answers_grow_with_the_e_factor() -> None:
    # E-factors 2.6, 2.7, 2.8, 2.9, 3.0; 6 × 2.8 = 16.8, 17 × 2.9 = 49.3, 50 × 3.0 = 150
    assert [after([5] * n).interval for n in range(1, 6)] == [1, 6, 17, 50, 150]


def test_the_intervals_of_hard_answers_stop_shrinking_at_the_least_e_factor() -> None:
    # E-factors 2.36, 2.22, 2.08, 1.94: 6 × 2.08 = 12.48, 13 × 1.94 = 25.22
    assert [after([3] * n).interval for n in range(1, 5)] == [1, 6, 13, 26]
    assert after([3] * 30).ease == LEAST_EASE


def test_a_failure_begins_anew_and_leaves_the_e_factor_alone() -> None:
    before = after([4, 4, 3])
    failed = review(before, 1)
    assert (failed.repetitions, failed.interval, failed.ease) == (0, 1, before.ease)
    assert [review(failed, 4).interval, review(review(failed, 4), 4).interval] == [1, 6]


@pytest.mark.parametrize(("quality", "again"), [(0, True), (3, True), (4, False), (5, False)])
def test_what_scored_below_four_is_repeated_the_same_day(quality: int, again: bool) -> None:
    assert again_today(quality) is again


@given(histories)
def test_intervals_are_whole_days_and_the_e_factor_never_falls_below_its_least(history: list[int]) -> None:
    state = after(history)
    assert state.ease >= LEAST_EASE
    assert state.interval == int(state.interval)
    assert state.interval >= (1 if history else 0)


@given(histories, st.integers(3, 4))
def test_a_better_answer_never_brings_the_item_back_sooner(history: list[int], quality: int) -> None:
    state = after(history)
    assert review(state, quality).interval <= review(state, quality + 1).interval


@pytest.mark.parametrize("quality", [-1, 6])
def test_a_quality_off_the_scale_is_refused(quality: int) -> None:
    with pytest.raises(ValueError, match="quality"):
        review(MemoryState(), quality)


@pytest.mark.parametrize(
    ("score", "seconds", "quality"),
    [
        (1.0, None, 4),
        (1.0, 8.0, 5),
        (1.0, 8.1, 4),
        (1.0, 120.0, 4),
        (1.0, 121.0, 3),
        (0.9, 1.0, 2),
        (0.5, None, 2),
        (0.1, None, 1),
    ],
)
def test_quality_follows_score_and_time(score: float, seconds: float | None, quality: int) -> None:
    assert quality_of(score, seconds) == quality


@given(st.floats(0, 1), st.one_of(st.none(), st.floats(0, 86_400)))
def test_only_a_full_score_passes(score: float, seconds: float | None) -> None:
    assert (quality_of(score, seconds) >= 3) == (score == 1.0)


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan")])
def test_a_score_off_the_scale_is_refused(score: float) -> None:
    with pytest.raises(ValueError, match="score"):
        quality_of(score, None)
