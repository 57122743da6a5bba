"""Quick examination: an event of the usual shape whose names have passed the rules before passes again.

The rules read some twenty fields of an event, each by a call into the decoded message. Here one regular expression reads the event's
encoding instead, which protobuf writes in the order of the fields' numbers and without defaults. It knows texts of up to 127 bytes; names
come again and again, and are looked up among those that the rules have passed. Whatever is not known here goes to the rules, so no event is
refused here, and none taken that the rules would refuse.

What costs are the calls and the objects for each event. So a batch is encoded at once, and its events' parts are handled by kind.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import TypeVar

import numpy as np
from paideia.ingestion.v1.events_pb2 import LearningEvent
from paideia.ingestion.v1.ingestion_service_pb2 import IngestEventsRequest, StreamEventsRequest

from adapters.ingestion.kafka_entry import ATTEMPTS, OTHERS, SESSIONS, Entry, entry_of, second
from domain.ingestion.rules import Fault, examine

Value = TypeVar("Value")

_new = tuple.__new__

_REMEMBERED = 32_768
_LONGEST_REMEMBERED = 256


def _varint(size: int) -> bytes:
    """Returns the pattern of a positive number of so many bytes."""
    return rb"[\x80-\xff]{%d}+[\x01-\x7f]" % (size - 1)


# Up to 998 million: of what is above it, some is a second and more.
_NANOS = (*map(_varint, range(1, 5)), rb"[\x80-\xff]{3}(?:[\x80-\xff][\x01\x02]|[\x80-\xdb]\x03)")


def _span(sizes: Iterable[int]) -> bytes:
    """Returns the pattern of a moment or duration, its length first, whose seconds take so many bytes; none for zero seconds."""
    shapes = []
    for size, (rest, nanos) in product(sizes, [(0, b""), *enumerate(_NANOS, 1)]):
        length = (size and size + 1) + (rest and rest + 1)
        shapes.append(
            re.escape(bytes([length])) + (rb"\x08" + _varint(size) if size else b"") + (rb"\x10" + nanos if rest else b"")
        )
    return b"(?:" + b"|".join(shapes) + b")"


# Possessive where nothing that follows could begin with what would be given back.
_UUID = rb"[0-9a-f]{8}+-[0-9a-f]{4}+-[0-9a-f]{4}+-[0-9a-f]{4}+-[0-9a-f]{12}+"
_NUMBER = rb"[\x80-\xff]{0,8}+[\x01-\x7f]"
_NAME = rb"[\x01-\x7f][A-Za-z0-9._~/-]+"
_ATTEMPT = (
    rb"(?:(?:\x19\x00{6}\xf0\x3f)?+\x20\x01|\x19[\x00-\xff]{6}(?:[\x00-\xff][\x00-\x3e]|[\x00-\xef]\x3f))?+"  # 1 and correct, or less and not
    rb"(?:\x28" + _NUMBER + rb")?+"
    rb"(?:\x32" + _span((0, 1, 2)) + rb")?+"
    rb"(?:\x38[\x01-\x64])?+"
    rb"(?:\x42\x2edecisions/" + _UUID + rb")?+"
    rb"((?:\x52" + _NAME + rb")+)?"
)
_PHASE, _DURATION = rb"\x10[\x01\x02]", rb"(?:\x12" + _span((0, 1, 2)) + rb")?+"
_ACTION = rb"\x10[\x01-\x04](?:\x1a" + _span((0, 1, 2, 3)) + rb")?+"
_USUAL = re.compile(
    rb"\x0a\x24(" + _UUID + rb")"
    rb"(\x12" + _NAME + rb"+)"
    rb"\x1a(" + _span((5,)) + rb")"
    rb"(\x22" + _NAME + rb")?"
    rb"(?:\x28" + _NUMBER + rb")?+"
    rb"(?:(?P<of_item>(?P<attempt>\x32)|\x52)|(?P<session>\x3a)|(?P<page>\x42)|\x4a)"  # what is left are media
    rb"([\x01-\x7f]|[\x80-\xff][\x01-\x7f])("
    # Of an attempt the item with its skills, because they come together again.
    rb"(?(of_item)(\x0a" + _NAME + rb"(?(attempt)(?:\x12" + _NAME + rb")+))(?(attempt)" + _ATTEMPT + rb"|\x10[\x01-\x64])"
    # A text without control characters: that it is UTF-8 was seen when the request was decoded.
    rb"|\x0a([\x01-\x7f])([\x20-\x7e\x80-\xff]+)(?(session)" + _PHASE + rb"|(?(page)" + _DURATION + rb"|" + _ACTION + rb"))))"
).fullmatch
# What it finds in an event of another shape: nothing, and a payload that is not as long as it says.
_UNUSUAL = (*[b""] * 9, b"?", *[b""] * 4)
_SIZES = {b"": 0} | {bytes([size]): size for size in range(1, 128)}
_SIZES |= {bytes([low, high]): low & 127 | high << 7 for low in range(128, 256) for high in range(1, 128)}
_WORTH = np.uint32(128) ** np.arange(5, dtype=np.uint32)  # of each group of seven bits in a varint
_PLACES = np.uint32(10) ** np.arange(8, -1, -1, dtype=np.uint32)
_NUMBERED = re.compile(rb"\x08[\x80-\xff]*[\x00-\x7f]").match  # a message of a stream has its number before its events


class QuickExaminer:
    """Examines as the rules do. Remembers the parts of events that were fit: names with their tags and lengths, and seconds."""

    def __init__(self, examine: Callable[[LearningEvent, float], LearningEvent | Fault] = examine) -> None:
        self._examine = examine
        self._learners: dict[bytes, str] = {}
        self._seconds: dict[bytes, tuple[int, bytes]] = {}
        self._courses, self._items, self._choices = dict[bytes, None](), dict[bytes, None](), dict[bytes, None]()

    def __call__(self, batch: IngestEventsRequest | StreamEventsRequest, latest: float) -> list[Entry | Fault]:
        if not (encodings := _encodings(batch)):
            return []
        shapes = [_UNUSUAL if (shape := _USUAL(each)) is None else shape.groups(b"") for each in encodings]
        ids, learners, times, courses, _, attempts, sessions, _, sizes, bodies, items, choices, lengths, texts = zip(
            *shapes, strict=True
        )
        found: list[Entry | Fault] = []
        # Looked up as the loop arrives at them, so that what one event has taught is known in the next.
        for encoding, id, learner, moment, fraction, course, attempt, session, size, body, item, chosen, length, text in zip(
            encodings,
            ids,
            map(self._learners.get, learners),
            map(self._seconds.get, [time[2:7] for time in times]),
            _fractions([time[8:] for time in times]),
            map(self._courses.__contains__, courses),
            attempts,
            sessions,
            sizes,
            bodies,
            map(self._items.__contains__, items),
            map(self._choices.__contains__, choices),
            lengths,
            texts,
            strict=True,
        ):
            whole = _SIZES[size] == len(body) and (not length or length[0] == len(text))
            # The parts that are known are as long as they say, so each begins where the expression found it, and so does the payload.
            if whole and learner and moment and moment[0] <= latest and course and item and chosen:
                topic = ATTEMPTS if attempt else SESSIONS if session else OTHERS
                # As Entry(...) does, without its call.
                found.append(_new(Entry, (id, learner, topic, moment[1] + fraction, encoding)))
            else:
                index = len(found)
                found.append(self._by_rules(batch.events[index], latest, shapes[index] if whole else None))
        return found

    def _by_rules(self, event: LearningEvent, latest: float, shape: Sequence[bytes] | None) -> Entry | Fault:
        """Asks the rules, and remembers the parts of a fit event of the usual shape."""
        found = self._examine(event, latest)
        if isinstance(found, Fault):
            return found
        entry = entry_of(found)
        if shape is not None:
            _, learner, time, course, *_, item, choices, _, _ = shape
            if all(map(_is_framed, (learner, course, item, choices))):
                seconds = found.occur_time.seconds
                _remember(self._learners, learner, entry.learner)
                _remember(self._seconds, time[2:7], (seconds, second(seconds)))
                for known, part in ((self._courses, course), (self._items, item), (self._choices, choices)):
                    _remember(known, part, None)
        return entry


def _encodings(batch: IngestEventsRequest | StreamEventsRequest) -> list[bytes]:
    """Returns the encoding of each event. The batch's has them one after another, each after its tag and its size."""
    encoded = batch.SerializeToString()
    found = []
    at = number.end() if (number := _NUMBERED(encoded)) else 0
    for _ in range(len(batch.events)):
        size, at, shift = encoded[at + 1], at + 2, 7
        while size >> shift:  # another group of seven bits follows
            size, at, shift = size ^ 1 << shift | encoded[at] << shift, at + 1, shift + 7
        found.append(encoded[at : at + size])
        at += size
    return found


def _fractions(nanos: Sequence[bytes]) -> list[bytes]:
    """Returns fractions of seconds as RFC 3339 writes them in UTC: `.359000000Z`. Takes nanoseconds as varints; none is zero."""
    groups = np.frombuffer(b"".join([each.ljust(5, b"\x00") for each in nanos]), np.uint8).reshape(-1, 5) & 127
    text = np.empty((len(nanos), 11), np.uint8)
    text[:, 0], text[:, -1] = b".Z"
    text[:, 1:-1] = (groups @ _WORTH)[:, None] // _PLACES % 10 + ord("0")
    written = text.tobytes()
    return [written[at : at + 11] for at in range(0, len(written), 11)]


def _remember(known: dict[bytes, Value], part: bytes, value: Value) -> None:
    if len(known) >= _REMEMBERED:
        known.clear()
    known[part] = value


def _is_framed(fields: bytes) -> bool:
    """Tells whether texts with their tags and lengths are what they look like, and short enough to be remembered."""
    at = 0
    while at < len(fields):
        at += 2 + fields[at + 1]
    return at == len(fields) <= _LONGEST_REMEMBERED
