"""Between protobuf's and Python's times."""

from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from domain.shared.errors import InvalidInput

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def timestamp(moment: datetime) -> Timestamp:
    since = moment - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1_000)


def when(message: Timestamp, field: str) -> datetime:
    """Returns the moment, to the microsecond, or raises InvalidInput naming the field if it lies outside the years 1 to 9999."""
    try:
        if not 0 <= message.nanos < 1_000_000_000:
            raise ValueError
        return _EPOCH + timedelta(seconds=message.seconds, microseconds=message.nanos // 1_000)
    except (OverflowError, ValueError):
        raise InvalidInput.of(field, "must be a time such as 2026-06-12T08:30:00Z") from None


def duration(span_of_time: timedelta) -> Duration:
    message = Duration()
    message.FromTimedelta(span_of_time)
    return message


def span(message: Duration, field: str) -> timedelta:
    """Returns the duration, to the microsecond, or raises InvalidInput naming the field if it is out of range."""
    try:
        return timedelta(seconds=message.seconds, microseconds=message.nanos // 1_000)
    except OverflowError:
        raise InvalidInput.of(field, "must be a duration such as 12.5s") from None
