"""The shape of a learning event, as the rules read it.

These are protocols, not classes to build: whatever carries an event satisfies them as it is, so that the hottest path of the platform copies
nothing. `HasField` tells absent from zero, `WhichOneof("payload")` which payload there is, by the name of its attribute.
"""

from collections.abc import Hashable, Sequence
from typing import Protocol


class Span(Protocol):
    """A moment since 1970 in UTC, or a duration."""

    seconds: int

    @property
    def nanos(self) -> int: ...


class Attempt(Protocol):
    """An answered item. `score` and `response_time` may be absent."""

    @property
    def item(self) -> str: ...

    @property
    def skills(self) -> Sequence[str]: ...

    @property
    def score(self) -> float: ...

    @property
    def correct(self) -> bool: ...

    @property
    def item_revision(self) -> int: ...

    @property
    def response_time(self) -> Span: ...

    @property
    def hints_revealed(self) -> int: ...

    @property
    def decision(self) -> str: ...

    @property
    def test_session(self) -> str: ...

    @property
    def choices(self) -> Sequence[str]: ...

    def HasField(self, field_name: str) -> bool: ...


class Session(Protocol):
    """The beginning or end of a session. Phases are numbered from 1."""

    @property
    def session(self) -> str: ...

    @property
    def phase(self) -> int: ...


class PageView(Protocol):
    """A page opened or left. `duration` may be absent."""

    @property
    def page(self) -> str: ...

    @property
    def duration(self) -> Span: ...

    def HasField(self, field_name: str) -> bool: ...


class MediaActivity(Protocol):
    """Media played, paused, sought or ended. Actions are numbered from 1."""

    @property
    def media(self) -> str: ...

    @property
    def action(self) -> int: ...

    @property
    def position(self) -> Span: ...


class HintView(Protocol):
    """A hint looked at."""

    @property
    def item(self) -> str: ...

    @property
    def number(self) -> int: ...


class LearningEvent(Protocol):
    """Something a learner did. `occur_time` and every payload may be absent; there is one payload at most."""

    id: str

    @property
    def learner(self) -> str: ...

    @property
    def occur_time(self) -> Span: ...

    @property
    def course(self) -> str: ...

    @property
    def client_sequence(self) -> int: ...

    @property
    def attempt(self) -> Attempt: ...

    @property
    def session(self) -> Session: ...

    @property
    def page_view(self) -> PageView: ...

    @property
    def media(self) -> MediaActivity: ...

    @property
    def hint(self) -> HintView: ...

    def HasField(self, field_name: str) -> bool: ...

    def WhichOneof(self, oneof_group: str) -> str | None: ...

    def ByteSize(self) -> int: ...


class Batch(Protocol):
    """Events sent together. `client_time`, what the client's clock showed then, may be absent."""

    @property
    def events(self) -> Sequence[LearningEvent]: ...

    @property
    def client_time(self) -> Span: ...

    def HasField(self, field_name: str) -> bool: ...


class Entry(Protocol):
    """What the log keeps of an event: two are equal if their events are, and their ids if those are."""

    @property
    def id(self) -> Hashable: ...

    @property
    def learner(self) -> str: ...
