"""Quick examination: an event of the usual shape whose names have passed the rules before passes again.

The rules read some twenty fields of an event, each by a call into the decoded message. Here one regular expression reads the event's
encoding instead, which protobuf writes in the order of the fields' numbers and without defaults. It knows attempts and sessions, plain
characters, and texts of up to 127 bytes; names come again and again, and are looked up among those that the rules have passed. Whatever is
not known here goes to the rules, so no event is refused here, and none taken that the rules would refuse.
"""

import re
from collections.abc import Iterable
from itertools import product
from typing import TypeVar

from paideia.ingestion.v1.events_pb2 import LearningEvent

from adapters.ingestion.kafka_entry import ATTEMPTS, SESSIONS, Entry, entry_of, second
from domain.ingestion.ports import Examiner
from domain.ingestion.rules import Fault, examine

Value = TypeVar("Value")

_new = tuple.__new__

_REMEMBERED = 32_768
_LONGEST_REMEMBERED = 256


def _varint(size: int) -> bytes:
    """Returns the pattern of a positive number of so many bytes."""
    return rb"[\x80-\xff]" * (size - 1) + rb"[\x01-\x7f]"


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


_UUID = rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_NUMBER = rb"[\x80-\xff]{0,8}[\x01-\x7f]"
_NAME = rb"[\x01-\x7f][A-Za-z0-9._~/-]+"
_ATTEMPT = (
    rb"(\x0a" + _NAME + rb"(?:\x12" + _NAME + rb")+)"  # the item with its skills: they come together again
    rb"(?:(?:\x19\x00{6}\xf0\x3f)?\x20\x01|\x19\x00{8})?"  # the score: none, 1 and correct, or 0 and not
    rb"(?:\x28" + _NUMBER + rb")?"
    rb"(?:\x32" + _span((0, 1, 2)) + rb")?"
    rb"(?:\x38[\x01-\x64])?"
    rb"(?:\x42\x2edecisions/" + _UUID + rb")?"
    rb"((?:\x52" + _NAME + rb")+)?"
)
_SESSION = rb"\x0a([\x01-\x7f])([\x20-\x7e]+)\x10[\x01\x02]"
_USUAL = re.compile(
    rb"\x0a\x24" + _UUID + rb"(\x12" + _NAME + rb")\x1a" + _span((5,)) + rb"(?:(\x22" + _NAME + rb"))?(?:\x28" + _NUMBER + rb")?"
    rb"(?:\x32([\x01-\x7f]|[\x80-\xff][\x01-\x7f])" + _ATTEMPT + rb"|\x3a([\x01-\x7f])" + _SESSION + rb")"
).fullmatch
_LEARNER_AT = 38  # after the id with its tag and length
_LENGTHS = {bytes([size]): size for size in range(1, 128)} | {
    bytes([low, high]): (low & 127) | high << 7 for low in range(128, 256) for high in range(1, 128)
}


class QuickExaminer:
    """Examines as the rules do. Remembers the parts of events that were fit: names with their tags and lengths, and seconds."""

    def __init__(self, examine: Examiner[LearningEvent, LearningEvent] = examine) -> None:
        self._examine = examine
        self._learners: dict[bytes, str] = {}
        self._seconds: dict[bytes, tuple[int, str]] = {}
        self._courses, self._items, self._choices = dict[bytes, None](), dict[bytes, None](), dict[bytes, None]()

    def __call__(self, event: LearningEvent, latest: float) -> Entry | Fault:
        encoding = event.SerializeToString()
        if (shape := _USUAL(encoding)) is None:
            return self._by_rules(event, latest)
        learner, course, length, item, choices, around, within, session = shape.groups()
        if length is not None:
            topic, whole = ATTEMPTS, _LENGTHS[length] == len(encoding) - shape.end(3)
        else:
            topic, whole = SESSIONS, within[0] == len(session) and around[0] == len(session) + 4
        at = _LEARNER_AT + len(learner) + 3
        seconds = encoding[at : at + 5]
        # The parts that are known are as long as they say, so each begins where the expression found it, and so does the payload.
        if (
            whole
            and (name := self._learners.get(learner)) is not None
            and (moment := self._seconds.get(seconds)) is not None
            and moment[0] <= latest
            and (course is None or course in self._courses)
            and (item is None or item in self._items)
            and (choices is None or choices in self._choices)
        ):
            # As Entry(...) does, without its call.
            return _new(Entry, (event.id, name, topic, f"{moment[1]}.{event.occur_time.nanos:09d}Z", encoding))
        found = self._by_rules(event, latest)
        parts = [part for part in (learner, course, item, choices) if part is not None]
        if isinstance(found, Entry) and whole and all(map(_is_framed, parts)):
            _remember(self._learners, learner, found.learner)
            _remember(self._seconds, seconds, (event.occur_time.seconds, second(event.occur_time.seconds)))
            for known, part in ((self._courses, course), (self._items, item), (self._choices, choices)):
                _remember(known, part, None)
        return found

    def _by_rules(self, event: LearningEvent, latest: float) -> Entry | Fault:
        found = self._examine(event, latest)
        return found if isinstance(found, Fault) else entry_of(found)


def _remember(known: dict[bytes, Value], part: bytes | None, value: Value) -> None:
    if part is not None:
        if len(known) >= _REMEMBERED:
            known.clear()
        known[part] = value


def _is_framed(fields: bytes) -> bool:
    """Tells whether texts with their tags and lengths are what they look like, and short enough to be remembered."""
    at = 0
    while at < len(fields):
        at += 2 + fields[at + 1]
    return at == len(fields) <= _LONGEST_REMEMBERED
