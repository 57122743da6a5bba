"""FSRS-6 against py-fsrs on random histories, one by one and in batch, and the laws of forgetting."""

from datetime import UTC, datetime, timedelta
from math import inf, nan
from random import Random
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from fsrs import Card, Scheduler
from fsrs import Rating as OracleRating
from hypothesis import given
from hypothesis import strategies as st

from domain.psychometrics.fsrs import (
    DEFAULT_WEIGHTS,
    GREATEST_WEIGHTS,
    LEAST_WEIGHTS,
    LONGEST_INTERVAL,
    Fsrs,
    Memory,
    Rating,
    clamped,
    days_between,
    rating_of,
)
from domain.psychometrics.fsrs_batch import Memories, first_each, interval_each, next_each, retrievability_each

MODEL = Fsrs()
weights = st.tuples(*(st.floats(low, high) for low, high in zip(LEAST_WEIGHTS, GREATEST_WEIGHTS, strict=True)))
ratings = st.sampled_from(Rating)
memories = st.builds(Memory, st.floats(1, 10), st.floats(0.001, 36_500))
reviews = st.lists(st.tuples(ratings, st.integers(0, 400)), min_size=1, max_size=12)
History = list[tuple[Rating, int]]


def after(model: Fsrs, history: History) -> list[Memory]:
    memory = model.first(history[0][0])
    passed = [memory]
    for rating, elapsed in history[1:]:
        memory = model.next(memory, rating, elapsed)
        passed.append(memory)
    return passed


def by_the_oracle(model: Fsrs, retention: float, history: History) -> list[tuple[float, float, int]]:
    """Difficulty, stability and interval after each review, by py-fsrs without learning steps or fuzz."""
    scheduler = Scheduler(model.weights, retention, learning_steps=(), relearning_steps=(), enable_fuzzing=False)
    card, moment = Card(card_id=1), datetime(2024, 1, 1, 9, tzinfo=UTC)
    passed = []
    for number, (rating, elapsed) in enumerate(history):
        moment += timedelta(days=elapsed if number else 0)
        card, _ = scheduler.review_card(card, OracleRating(int(rating)), moment)
        assert card.difficulty is not None
        assert card.stability is not None
        passed.append((card.difficulty, card.stability, (card.due - moment).days))
    return passed


def random_history(chance: Random) -> History:
    return [
        (chance.choices(list(Rating), (2, 2, 5, 1))[0], chance.choice((0, 1, chance.randrange(2, 30), chance.randrange(400))))
        for _ in range(chance.randrange(1, 25))
    ]


@pytest.mark.parametrize("retention", [0.7, 0.9, 0.97])
def test_random_histories_give_the_intervals_of_py_fsrs(retention: float) -> None:
    chance = Random(int(retention * 100))
    for _ in range(150):
        history = random_history(chance)
        expected = by_the_oracle(MODEL, retention, history)
        passed = after(MODEL, history)
        assert [MODEL.interval(each, retention) for each in passed] == [days for _, _, days in expected]
        assert np.array(passed) == pytest.approx(np.array([each[:2] for each in expected]), rel=1e-9)


@given(weights, reviews)
def test_any_weights_give_the_memories_of_py_fsrs(some: tuple[float, ...], history: History) -> None:
    model = Fsrs(some)
    expected = np.array([each[:2] for each in by_the_oracle(model, 0.9, history)])
    passed = np.array(after(model, history))
    sane = np.cumsum(expected[:, 1] > 1e6) == 0  # beyond, py-fsrs lets stability grow without end
    assert passed[sane] == pytest.approx(expected[sane], rel=1e-6)


def test_a_batch_gives_the_intervals_of_one_by_one() -> None:
    chance = Random(5)
    histories = [random_history(chance) for _ in range(400)]
    longest = max(map(len, histories))
    alone = [after(MODEL, each) for each in histories]
    batch = first_each(MODEL, [each[0][0] for each in histories])
    for number in range(1, longest):
        going = [index for index, each in enumerate(histories) if len(each) > number]
        answers = [histories[index][number] for index in going]
        batch = Memories(batch.difficulty[going], batch.stability[going])
        batch = next_each(MODEL, batch, [each[0] for each in answers], [each[1] for each in answers])
        expected = [alone[index][number] for index in going]
        assert interval_each(MODEL, batch, 0.85).tolist() == [MODEL.interval(each, 0.85) for each in expected]
        assert np.stack(batch, axis=1) == pytest.approx(np.array(expected), rel=1e-12)
        full = Memories(np.full(len(histories), 1.0), np.full(len(histories), 1.0))
        full.difficulty[going], full.stability[going] = batch
        batch = full


@given(memories, ratings, st.integers(0, 10_000))
def test_memories_stay_in_their_bounds(memory: Memory, rating: Rating, elapsed: int) -> None:
    difficulty, stability = MODEL.next(memory, rating, elapsed)
    assert 1 <= difficulty <= 10
    assert 0.001 <= stability < inf
    assert 1 <= MODEL.interval(Memory(difficulty, stability)) <= LONGEST_INTERVAL


@given(memories, st.integers(1, 1000))
def test_recall_makes_more_stable_and_easier_answers_more_so(memory: Memory, elapsed: int) -> None:
    hard, good, easy = (MODEL.next(memory, rating, elapsed).stability for rating in (Rating.HARD, Rating.GOOD, Rating.EASY))
    assert memory.stability <= hard <= good <= easy
    assert MODEL.next(memory, Rating.AGAIN, elapsed).stability <= memory.stability


@given(memories, st.integers(0, 1000))
def test_harder_answers_make_an_item_no_easier(memory: Memory, elapsed: int) -> None:
    difficulties = [MODEL.next(memory, rating, elapsed).difficulty for rating in Rating]
    assert difficulties == sorted(difficulties, reverse=True)


@given(memories, st.integers(0, 10_000), st.integers(0, 10_000))
def test_recall_grows_less_likely_with_time(memory: Memory, some: int, more: int) -> None:
    assert 0 < MODEL.retrievability(memory, some + more) <= MODEL.retrievability(memory, some) <= 1


@given(st.floats(0.01, 1000))
def test_after_its_stability_a_memory_is_recalled_nine_times_in_ten(stability: float) -> None:
    assert MODEL.retrievability(Memory(5.0, stability), stability) == pytest.approx(0.9)


@given(memories, st.floats(0.5, 0.99), st.floats(0.5, 0.99))
def test_who_wants_to_recall_more_reviews_sooner(memory: Memory, one: float, other: float) -> None:
    assert MODEL.interval(memory, max(one, other)) <= MODEL.interval(memory, min(one, other))


def test_an_interval_can_be_capped_and_is_never_below_a_day() -> None:
    assert MODEL.interval(Memory(5.0, 900.0), longest=365) == 365
    assert MODEL.interval(Memory(5.0, 0.001)) == 1
    assert MODEL.interval(Memory(5.0, 1.0), retention=1e-300) == LONGEST_INTERVAL


def test_the_next_morning_is_one_day_later_though_fewer_than_24_hours_passed() -> None:
    evening = datetime(2026, 3, 1, 22, tzinfo=UTC)
    assert days_between(evening, evening + timedelta(hours=10)) == 1
    assert days_between(evening, evening + timedelta(hours=3)) == 0  # one in the morning: still the same evening
    assert days_between(evening, evening + timedelta(hours=3), day_begins=0) == 1
    assert days_between(evening, evening + timedelta(days=8)) == 8


def test_days_are_those_of_the_learners_time_zone_whatever_its_clock_changes() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    # 02:30 to 05:00 UTC is 03:30 to 06:00 in Berlin: the day began at four.
    assert days_between(datetime(2026, 1, 5, 2, 30, tzinfo=UTC), datetime(2026, 1, 5, 5, tzinfo=UTC), berlin) == 1
    # The night of 29 March 2026 has an hour less.
    assert days_between(datetime(2026, 3, 28, 12, tzinfo=berlin), datetime(2026, 3, 29, 12, tzinfo=berlin), berlin) == 1


def test_a_clock_set_back_counts_as_the_same_day() -> None:
    assert days_between(datetime(2026, 3, 5, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)) == 0


def test_moments_without_a_time_zone_are_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        days_between(datetime(2026, 3, 1), datetime(2026, 3, 5, tzinfo=UTC))


@pytest.mark.parametrize("elapsed", [-1, nan, inf])
def test_impossible_days_are_refused(elapsed: float) -> None:
    with pytest.raises(ValueError, match="elapsed days"):
        MODEL.retrievability(Memory(5.0, 3.0), elapsed)
    with pytest.raises(ValueError, match="elapsed days"):
        retrievability_each(MODEL, Memories(np.array([5.0]), np.array([3.0])), [elapsed])


@pytest.mark.parametrize("retention", [0.0, 1.0, -0.5, nan])
def test_an_impossible_retention_is_refused(retention: float) -> None:
    with pytest.raises(ValueError, match="retention"):
        MODEL.interval(Memory(5.0, 3.0), retention)


def test_impossible_weights_are_refused_by_name_or_clamped_on_request() -> None:
    wrong = (*DEFAULT_WEIGHTS[:20], 0.9)
    with pytest.raises(ValueError, match=r"w20 must be from 0.1 to 0.8"):
        Fsrs(wrong)
    assert clamped(wrong) == (*DEFAULT_WEIGHTS[:20], 0.8)
    with pytest.raises(ValueError, match="21 weights"):
        clamped(DEFAULT_WEIGHTS[:19])
    with pytest.raises(ValueError, match="finite"):
        Fsrs((*DEFAULT_WEIGHTS[:20], nan))


def test_a_rating_outside_one_to_four_is_refused_in_a_batch() -> None:
    with pytest.raises(ValueError, match="rating"):
        first_each(MODEL, [1, 5])


def test_right_is_good_and_wrong_is_again() -> None:
    assert (rating_of(True), rating_of(False)) == (Rating.GOOD, Rating.AGAIN)
