from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from paideia.ingestion.v1.events_pb2 import LearningEvent

from domain.ingestion.clock import LEEWAY, correct, correction
from domain.shared.errors import InvalidInput

NOW = datetime(2026, 9, 1, 8, tzinfo=UTC)
Attempt = Callable[..., LearningEvent]


def showing(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


@given(st.timedeltas(-LEEWAY, LEEWAY))
def test_a_clock_within_the_leeway_is_left_alone(off: timedelta) -> None:
    assert correction(showing(NOW + off), NOW) == timedelta()


@given(st.timedeltas(timedelta(days=-9_000), timedelta(days=9_000)))
def test_a_corrected_clock_is_right_within_the_leeway_and_moved_in_whole_steps(off: timedelta) -> None:
    moved = correction(showing(NOW + off), NOW)
    assert abs(off + moved) <= LEEWAY + timedelta(milliseconds=1)
    assert moved % LEEWAY == timedelta()


@given(st.integers(2, 100), st.timedeltas(timedelta(seconds=-100), timedelta(seconds=100)))
def test_a_slower_network_changes_nothing_while_it_stays_within_a_step(steps: int, jitter: timedelta) -> None:
    assert correction(showing(NOW - steps * LEEWAY + jitter), NOW) == steps * LEEWAY


@pytest.mark.parametrize(("seconds", "nanos"), [(-1, 0), (2**62, 0), (0, -1), (0, 1_000_000_000)])
def test_a_moment_that_no_calendar_has_is_refused(seconds: int, nanos: int) -> None:
    with pytest.raises(InvalidInput) as refusal:
        correction(Timestamp(seconds=seconds, nanos=nanos), NOW)
    assert refusal.value.violations[0].field == "client_time"


def test_times_are_moved_and_the_impossible_ones_stay_for_the_rules(attempt: Attempt) -> None:
    events = [attempt() for _ in range(3)]
    events[0].occur_time.FromDatetime(NOW)
    events[1].ClearField("occur_time")
    events[2].occur_time.seconds = 2**62
    correct(events, timedelta(hours=3))
    assert events[0].occur_time.ToDatetime(UTC) == NOW + timedelta(hours=3)
    assert not events[1].HasField("occur_time")
    assert events[2].occur_time.seconds == 2**62
