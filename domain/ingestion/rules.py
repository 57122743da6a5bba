"""What makes an event fit for the log. Each rule looks at one event only, so that no event can cost another its place."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from domain.ingestion.shape import Attempt, HintView, LearningEvent, MediaActivity, PageView, Session, Span
from domain.shared.errors import InvalidInput
from domain.shared.ids import chosen_id

EARLIEST = 946_684_800
"""2000-01-01, in seconds since 1970: a moment before it is a clock that was never set."""

MOST_SKILLS = 20
MOST_HINTS = 100
MOST_CHOICES = 50
LONGEST_CHOICE = 128
LONGEST_SESSION = 128
LONGEST_ADDRESS = 2_000
LONGEST_SPAN = 24 * 3600
"""In seconds."""
LARGEST = 64 * 1024
"""In bytes, encoded: several times the largest event that obeys all other rules. Only fields that we do not know can make it larger."""

Event = TypeVar("Event", bound=LearningEvent)

_LONGEST_NAME = 160
_NAMES_REMEMBERED = 65_536
_SKILL_SETS_REMEMBERED = 8_192
_PHASES = (1, 2)
_ACTIONS = (1, 2, 3, 4)
_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}").fullmatch
_CONTROL = re.compile(r"[\x00-\x1f\x7f]").search


class Fault(NamedTuple):
    """Why an event is refused: the path of the field within it, and a sentence saying what would be right."""

    field: str
    description: str


class _Names(dict[str, bool]):
    """Tells whether a text is `{collection}/{id}`. Names come again and again, so it remembers the last ones: looking one up is a
    dictionary's work, without a call, which is what the hottest path can afford.
    """

    def __init__(self, collection: str) -> None:
        super().__init__()
        self._prefix = f"{collection}/"

    def __missing__(self, name: str) -> bool:
        if len(name) > _LONGEST_NAME:
            return False
        if len(self) >= _NAMES_REMEMBERED:
            self.clear()
        self[name] = well_formed = self._is_name(name)
        return well_formed

    def _is_name(self, name: str) -> bool:
        try:
            return name.startswith(self._prefix) and bool(chosen_id(name[len(self._prefix) :], "id"))
        except InvalidInput:
            return False


class _SkillSets(dict[tuple[str, ...], Fault | None]):
    """Tells what is wrong with the skills of an attempt; remembers as _Names does."""

    def __missing__(self, skills: tuple[str, ...]) -> Fault | None:
        fault = self._fault(skills)
        if fault is None:
            if len(self) >= _SKILL_SETS_REMEMBERED:
                self.clear()
            self[skills] = None
        return fault

    def _fault(self, skills: tuple[str, ...]) -> Fault | None:
        if not 1 <= len(skills) <= MOST_SKILLS:
            return Fault("attempt.skills", f"must name 1 to {MOST_SKILLS} skills")
        if not all(_SKILL[each] for each in skills):
            return _unnamed("attempt.skills", "skills/{skill} each")
        if len(set(skills)) < len(skills):
            return Fault("attempt.skills", "must name each skill once")
        return None


_LEARNER, _COURSE, _ITEM, _SKILL = map(_Names, ("learners", "courses", "items", "skills"))
_SKILLS = _SkillSets()


def examine(event: Event, latest: float) -> Event | Fault:
    """Returns the event itself if it obeys the rules, with its id in lower case; otherwise the first fault found."""
    if fault := fault_of(event, latest):
        return fault
    if not event.id.islower():
        event.id = event.id.lower()
    return event


def fault_of(event: LearningEvent, latest: float) -> Fault | None:
    """Returns the first fault found, None if there is none. `latest` is the last moment allowed, in seconds since 1970."""
    if not _UUID(event.id):
        return Fault("id", "must be a UUID, such as 8f14e45f-ceea-467f-a8c5-8a3f6b1d2c3e")
    if not _LEARNER[event.learner]:
        return _unnamed("learner", "learners/{learner}")
    when = event.occur_time
    if not EARLIEST <= when.seconds <= latest or not 0 <= when.nanos < 1_000_000_000:
        return _time_fault(event)
    if (course := event.course) and not _COURSE[course]:
        return _unnamed("course", "courses/{course}, or empty")
    if event.client_sequence < 0:
        return Fault("client_sequence", "must not be negative")
    kind = event.WhichOneof("payload")
    if kind is None:
        return Fault("payload", "must be one of attempt, session, page_view, media, hint")
    if fault := _PAYLOAD_RULES[kind](getattr(event, kind)):
        return fault
    return Fault("event", f"must be at most {LARGEST:,} bytes") if event.ByteSize() > LARGEST else None


def _unnamed(field: str, form: str) -> Fault:
    return Fault(
        field,
        f"must be {form}; an id is 1 to 128 letters, digits, '.', '_', '~' or '-', beginning with a letter or digit",
    )


def _time_fault(event: LearningEvent) -> Fault:
    if not event.HasField("occur_time"):
        return Fault("occur_time", "must be given")
    if not 0 <= event.occur_time.nanos < 1_000_000_000:
        return Fault("occur_time", "must have nanos from 0 to 999,999,999")
    if event.occur_time.seconds < EARLIEST:
        return Fault("occur_time", "must not be before the year 2000")
    return Fault("occur_time", "must be at most 5 minutes ahead of the server's clock")


def _span_fault(field: str, span: Span, most: int = LONGEST_SPAN) -> Fault | None:
    if span.seconds < 0 or not 0 <= span.nanos < 1_000_000_000:
        return Fault(field, "must be a duration that is not negative")
    if (span.seconds, span.nanos) > (most, 0):
        return Fault(field, f"must be at most {most // 3600:,} hours")
    return None


def _text_fault(field: str, text: str, most: int) -> Fault | None:
    if not 1 <= len(text) <= most:
        return Fault(field, f"must have 1 to {most:,} characters")
    if _CONTROL(text):
        return Fault(field, "must not contain control characters")
    return None


def _attempt_fault(attempt: Attempt) -> Fault | None:
    if not _ITEM[attempt.item]:
        return _unnamed("attempt.item", "items/{item}")
    if fault := _SKILLS[tuple(attempt.skills)]:
        return fault
    if attempt.HasField("score"):
        score = attempt.score
        if not 0.0 <= score <= 1.0:
            return Fault("attempt.score", "must be in [0, 1]")
        if attempt.correct != (score == 1.0):
            return Fault("attempt.score", "must be 1 if correct, and less than 1 if not")
    if attempt.item_revision < 0:
        return Fault("attempt.item_revision", "must not be negative")
    if not 0 <= attempt.hints_revealed <= MOST_HINTS:
        return Fault("attempt.hints_revealed", f"must be from 0 to {MOST_HINTS}")
    if (decision := attempt.decision) and not (decision.startswith("decisions/") and _UUID(decision, 10)):
        return Fault("attempt.decision", "must be decisions/{UUID}, or empty")
    if attempt.test_session:
        return Fault("attempt.test_session", "must be empty: answer in the test session itself")
    if (choices := attempt.choices) and not (
        len(choices) <= MOST_CHOICES and all(1 <= len(each) <= LONGEST_CHOICE for each in choices)
    ):
        return Fault("attempt.choices", f"must be at most {MOST_CHOICES} ids of 1 to {LONGEST_CHOICE} characters")
    if attempt.HasField("response_time"):
        return _span_fault("attempt.response_time", attempt.response_time)
    return None


def _session_fault(session: Session) -> Fault | None:
    if session.phase not in _PHASES:
        return Fault("session.phase", "must be SESSION_PHASE_STARTED or SESSION_PHASE_ENDED")
    return _text_fault("session.session", session.session, LONGEST_SESSION)


def _page_view_fault(view: PageView) -> Fault | None:
    if view.HasField("duration") and (fault := _span_fault("page_view.duration", view.duration)):
        return fault
    return _text_fault("page_view.page", view.page, LONGEST_ADDRESS)


def _media_fault(activity: MediaActivity) -> Fault | None:
    if activity.action not in _ACTIONS:
        return Fault("media.action", "must be MEDIA_ACTION_PLAYED, _PAUSED, _SOUGHT or _ENDED")
    # A medium may be longer than a day: a live stream, say. A year bounds it.
    return _span_fault("media.position", activity.position, 366 * LONGEST_SPAN) or _text_fault(
        "media.media", activity.media, LONGEST_ADDRESS
    )


def _hint_fault(view: HintView) -> Fault | None:
    if not _ITEM[view.item]:
        return _unnamed("hint.item", "items/{item}")
    if not 1 <= view.number <= MOST_HINTS:
        return Fault("hint.number", f"must be from 1 to {MOST_HINTS}")
    return None


_PAYLOAD_RULES: dict[str, Callable[[Any], Fault | None]] = {
    "attempt": _attempt_fault,
    "session": _session_fault,
    "page_view": _page_view_fault,
    "media": _media_fault,
    "hint": _hint_fault,
}
