"""What a client's clock is worth. Devices' clocks are wrong by hours, sometimes by years; ours is the reference.

A client may tell its clock's time with a batch. If it is off by more than the leeway, its events' times are moved by the difference, in
whole steps of the leeway: a batch that is sent again, when the network was slower or faster, is then moved alike, and its events stay equal
to those that were taken before.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from domain.ingestion.shape import LearningEvent, Span
from domain.shared.errors import InvalidInput

LEEWAY = timedelta(minutes=5)
"""How far a client's clock may be off without being corrected, and how far ahead of ours an event may be."""

_LATEST = 253_402_300_799  # the end of the year 9999, in seconds since 1970


def correction(client_time: Span, now: datetime) -> timedelta:
    """Returns what to add to the times of a client whose clock shows `client_time` now; zero if that is within the leeway.

    Raises InvalidInput for a moment that no calendar has.
    """
    if not 0 <= client_time.seconds <= _LATEST or not 0 <= client_time.nanos < 1_000_000_000:
        raise InvalidInput.of("client_time", "must be a moment from 1970 to 9999, with nanos from 0 to 999,999,999")
    behind = timedelta(seconds=now.timestamp() - client_time.seconds - client_time.nanos / 1e9)
    return timedelta() if abs(behind) <= LEEWAY else LEEWAY * round(behind / LEEWAY)


def correct(events: Iterable[LearningEvent], by: timedelta) -> None:
    """Moves the times of events. Those without a time, or with one that no calendar has, stay for the rules to refuse."""
    seconds = int(by.total_seconds())
    for event in events:
        if event.HasField("occur_time") and 0 <= event.occur_time.seconds <= _LATEST:
            event.occur_time.seconds += seconds
