from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.scheduler.encoding import decoded_state, encoded_state
from domain.scheduler.model import ProgressUpdate
from domain.scheduler.state import RECENT_LENGTH, LearnerState, key_of
from tests.unit.scheduler.making import NOW, histories, update

DAY = 86_400.0


def same(one: LearnerState, other: LearnerState) -> bool:
    return encoded_state(one) == encoded_state(other)


@given(histories(), st.data())
def test_a_state_does_not_depend_on_how_its_updates_were_batched(updates: list[ProgressUpdate], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(updates)))
    whole = LearnerState.new().after(updates)
    assert same(LearnerState.new().after(updates[:cut]).after(updates[cut:]), whole)
    assert same(whole.after(updates), whole)
    assert whole.sequence == len(updates)


@given(histories())
def test_what_is_encoded_is_what_is_decoded(updates: list[ProgressUpdate]) -> None:
    state = LearnerState.new().after(updates)
    decoded = decoded_state(encoded_state(state))
    assert decoded is not None
    assert same(decoded, state)


def test_another_form_of_encoding_counts_as_unknown() -> None:
    data = bytearray(encoded_state(LearnerState.new().after([update(1)])))
    data[8] += 1
    assert decoded_state(bytes(data)) is None


def test_a_known_update_changes_nothing() -> None:
    state = LearnerState.new().after([update(1), update(2)])
    assert state.after([update(1, correct=False), update(2, correct=False)]) is state


def test_only_updates_without_a_gap_follow() -> None:
    state = LearnerState.new().after([update(1)])
    assert [each.sequence for each in state.following([update(1), update(2), update(3), update(5)])] == [2, 3]


def test_an_item_is_due_after_sm2s_interval() -> None:
    first = update(1)
    second = update(2, at=first.answered_at + DAY)
    row = LearnerState.new().after([first, second]).items[0]
    assert (row["repetitions"], row["interval"], row["due_at"]) == (2, 6, second.answered_at + 6 * DAY)


def test_a_right_answer_before_the_item_is_due_leaves_its_memory_as_it_is() -> None:
    row = LearnerState.new().after([update(1), update(2, at=NOW.timestamp() + 60)]).items[0]
    assert (row["repetitions"], row["interval"], row["due_at"], row["attempts"]) == (1, 1, NOW.timestamp() + DAY, 2)


def test_a_wrong_answer_always_counts_and_makes_the_item_due_at_once() -> None:
    later = (NOW + timedelta(minutes=5)).timestamp()
    row = LearnerState.new().after([update(1), update(2, correct=False, at=later)]).items[0]
    assert (row["repetitions"], row["due_at"], row["correct"], row["passed"]) == (0, later, 1, 0)


def test_a_clock_that_runs_back_never_moves_an_answer_into_the_past() -> None:
    row = LearnerState.new().after([update(1), update(2, correct=False, at=0.0)]).items[0]
    assert row["answered_at"] == NOW.timestamp()


def test_recent_items_are_kept_once_each_newest_last() -> None:
    state = LearnerState.new().after(
        [*(update(n, f"item-{n}") for n in range(1, 41)), update(41, "item-40"), update(42, "item-30")]
    )
    assert len(state.recent) == RECENT_LENGTH
    assert [int(each) for each in state.recent[-2:]] == [key_of("item-40"), key_of("item-30")]


def test_the_newest_mastery_and_ability_stand() -> None:
    state = LearnerState.new().after([update(1, mean=0.2, ability=-1.0), update(2, mean=0.6, ability=0.5)])
    assert state.skills["mean"].tolist() == pytest.approx([0.6])
    assert state.abilities["mean"].tolist() == [0.5]
