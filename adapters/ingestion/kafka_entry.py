"""What the log keeps of an event: all that a message of Kafka needs, made once."""

from functools import lru_cache
from time import gmtime, strftime
from typing import NamedTuple

from paideia.ingestion.v1.events_pb2 import LearningEvent

ATTEMPTS, SESSIONS, OTHERS = "user.attempts", "user.sessions", "learning.events"

_TOPICS = {"attempt": ATTEMPTS, "session": SESSIONS}


class Entry(NamedTuple):
    """`topic` is where it belongs, `time` when it happened, as RFC 3339 writes it in UTC, `encoding` the event itself."""

    id: bytes
    learner: str
    topic: str
    time: bytes
    encoding: bytes


def entry_of(event: LearningEvent) -> Entry:
    moment = event.occur_time
    return Entry(
        event.id.encode(),
        event.learner,
        _TOPICS.get(event.WhichOneof("payload") or "", OTHERS),
        second(moment.seconds) + b".%09dZ" % moment.nanos,
        event.SerializeToString(),
    )


@lru_cache(maxsize=4_096)
def second(seconds: int) -> bytes:
    """Returns the date and time of a second since 1970 as RFC 3339 writes it. Events of one batch share most of theirs."""
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(seconds)).encode()
