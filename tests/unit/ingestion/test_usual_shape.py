from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from paideia.ingestion.v1.events_pb2 import MEDIA_ACTION_PLAYED, SESSION_PHASE_ENDED, LearningEvent
from paideia.ingestion.v1.ingestion_service_pb2 import IngestEventsRequest, StreamEventsRequest

from adapters.ingestion.kafka_entry import Entry, entry_of
from adapters.ingestion.kafka_usual_shape import QuickExaminer
from domain.ingestion.rules import EARLIEST, Fault, examine

Change = Callable[[LearningEvent], object]

NOW = datetime.fromisoformat("2026-09-01T08:00:00+00:00")
LATEST = (NOW + timedelta(minutes=5)).timestamp()
ID = str(UUID(int=7, version=4))


def attempt() -> LearningEvent:
    event = LearningEvent(id=ID, learner="learners/ada", course="courses/fractions", client_sequence=7)
    event.occur_time.FromDatetime(NOW)
    event.attempt.item = "items/half"
    event.attempt.skills.extend(["skills/halves", "skills/fractions"])
    event.attempt.correct = True
    event.attempt.response_time.FromMilliseconds(4_321)
    event.attempt.decision = f"decisions/{ID}"
    event.attempt.choices.extend(["a", "b2"])
    return event


def session() -> LearningEvent:
    event = LearningEvent(id=ID, learner="learners/ada")
    event.occur_time.FromDatetime(NOW)
    event.session.session = "s 1"
    event.session.phase = SESSION_PHASE_ENDED
    return event


def page() -> LearningEvent:
    event = without_payload()
    event.page_view.page = "/дроби?of=½"
    event.page_view.duration.FromMilliseconds(70_250)
    return event


def media() -> LearningEvent:
    event = without_payload()
    event.media.media, event.media.action = "film.mp4", MEDIA_ACTION_PLAYED
    event.media.position.FromMilliseconds(1_250)
    return event


def hint() -> LearningEvent:
    event = without_payload()
    event.hint.item, event.hint.number = "items/half", 1
    return event


def without_payload() -> LearningEvent:
    event = session()
    event.ClearField("payload")
    return event


def others() -> list[LearningEvent]:
    opened, seen, wrong, partly = page(), media(), attempt(), attempt()
    opened.page_view.ClearField("duration")
    seen.media.ClearField("position")
    wrong.attempt.score, wrong.attempt.correct, wrong.course = 0.0, False, ""
    partly.attempt.score, partly.attempt.correct = 0.25, False
    return [page(), media(), hint(), opened, seen, wrong, partly]


class Rules:
    """The rules, and how often they were asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, event: LearningEvent, latest: float) -> LearningEvent | Fault:
        self.asked += 1
        return examine(event, latest)


def experienced() -> QuickExaminer:
    """One who knows every name of the good events."""
    quick = QuickExaminer()
    quick(IngestEventsRequest(events=[attempt(), session(), *others()]), LATEST)
    return quick


def one(quick: QuickExaminer, event: LearningEvent, latest: float = LATEST) -> Entry | Fault:
    [found] = quick(IngestEventsRequest(events=[event]), latest)
    return found


def ruled(event: LearningEvent) -> Entry | Fault:
    found = examine(copy(event), LATEST)
    return found if isinstance(found, Fault) else entry_of(found)


QUICK = experienced()
GOOD = [each.SerializeToString() for each in (attempt(), session(), *others())]

# Pieces of good encodings, and whatever else may look like them, in any order and as the contents of texts.
pieces = st.one_of(
    st.binary(max_size=6),
    st.builds(lambda good, a, b: good[a : a + b], st.sampled_from(GOOD), st.integers(0, 150), st.integers(1, 60)),
)
texts = st.builds(lambda parts: b"".join(parts).decode(errors="ignore"), st.lists(pieces, max_size=4))


def agreed(event: LearningEvent) -> bool:
    """Whether the quick examiner, when it sees an event for the first time and for the second, says what the rules say."""
    return one(QUICK, event) == one(QUICK, event) == ruled(event)


def copy(event: LearningEvent) -> LearningEvent:
    return LearningEvent.FromString(event.SerializeToString())


@settings(max_examples=300)
@given(st.sampled_from(GOOD), st.integers(0, 150), st.integers(0, 40), pieces)
def test_a_damaged_encoding_is_judged_as_the_rules_do(good: bytes, at: int, length: int, piece: bytes) -> None:
    try:
        event = LearningEvent.FromString(good[:at] + piece + good[at + length :])
    except DecodeError:
        return
    assert agreed(event)


TEXTS = {
    "learner": attempt,
    "course": attempt,
    "attempt.item": attempt,
    "attempt.skills": attempt,
    "attempt.choices": attempt,
    "session.session": session,
    "page_view.page": page,
    "media.media": media,
    "hint.item": hint,
}


@settings(max_examples=500)
@given(st.sampled_from([*TEXTS]), texts)
def test_no_text_passes_for_the_fields_that_it_imitates(path: str, text: str) -> None:
    event = TEXTS[path]()
    *parents, last = path.split(".")
    target = getattr(event, parents[0]) if parents else event
    if isinstance(getattr(target, last), str):
        setattr(target, last, text)
    else:
        getattr(target, last).append(text)
    assert agreed(event)


def test_a_course_that_holds_a_whole_attempt_is_still_no_attempt() -> None:
    event = attempt()
    event.ClearField("payload")
    payload = attempt().attempt.SerializeToString()
    event.course = "courses/x" + (b"\x32" + bytes([len(payload)]) + payload).decode("latin-1")
    assert agreed(event)
    assert isinstance(one(QUICK, event), Fault)


@st.composite
def some_events(draw: st.DrawFn) -> LearningEvent:
    """An event of any kind, fit or not, whose names are known, new, wrong, or so long that its size takes another byte."""
    event = copy(draw(st.sampled_from([attempt(), session(), *others()])))
    event.learner = f"learners/{draw(st.sampled_from(['ada', 'bob', 'ä', 'l' * 120, 'l' * 129]))}"
    event.course = draw(st.sampled_from(["", "courses/fractions", "courses/" + "c" * 120, "c" * 20_000]))
    event.occur_time.seconds += draw(st.integers(-2, 400))
    event.occur_time.nanos = draw(st.integers(0, 999_999_999))
    return event


@given(st.lists(some_events(), max_size=12), st.integers(0, 2**63 - 1))
def test_the_events_of_a_batch_are_judged_one_by_one(events: list[LearningEvent], number: int) -> None:
    expected = [ruled(each) for each in events]
    assert QuickExaminer()(IngestEventsRequest(events=events), LATEST) == expected
    stream = StreamEventsRequest(number=number, events=events)
    stream.client_time.FromDatetime(NOW)
    assert QUICK(stream, LATEST) == expected


def test_what_one_event_of_a_batch_has_taught_is_known_in_the_next() -> None:
    rules = Rules()
    events = [attempt() for _ in range(10)]
    assert QuickExaminer(rules)(IngestEventsRequest(events=events), LATEST) == [entry_of(each) for each in events]
    assert rules.asked == 1


@given(
    st.one_of(st.integers(-10, 10), st.integers(-(2**35), 2**35), st.integers(-2, 2).map(lambda off: int(LATEST) + off)),
    st.one_of(st.integers(-5, 2**31 - 1), st.integers(990_000_000, 1_010_000_000)),
)
def test_a_moment_or_a_duration_is_judged_as_the_rules_do(seconds: int, nanos: int) -> None:
    at, answered, viewed, watched = attempt(), attempt(), page(), media()
    for event, span in (
        (at, at.occur_time),
        (answered, answered.attempt.response_time),
        (viewed, viewed.page_view.duration),
        (watched, watched.media.position),
    ):
        span.seconds, span.nanos = seconds, nanos
        assert agreed(event)


@given(st.one_of(st.floats(), st.floats(0, 1), st.sampled_from([1.0, -0.0, 0.5, 1.0 - 2**-53])), st.booleans())
def test_a_score_is_judged_as_the_rules_do(score: float, correct: bool) -> None:
    event = attempt()
    event.attempt.score, event.attempt.correct = score, correct
    assert agreed(event)


@given(st.integers(-1, 130))
def test_the_number_of_a_hint_a_phase_and_an_action_are_judged_as_the_rules_do(number: int) -> None:
    one_hint, phase, action, revealed = hint(), session(), media(), attempt()
    one_hint.hint.number = revealed.attempt.hints_revealed = number
    phase.session.phase = action.media.action = number  # type: ignore[assignment]  # clients may send any number
    assert all(map(agreed, (one_hint, phase, action, revealed)))


@pytest.mark.parametrize("good", [attempt, session, page, media, hint])
def test_the_rules_are_asked_once_for_what_comes_again(good: Callable[[], LearningEvent]) -> None:
    rules = Rules()
    quick = QuickExaminer(rules)
    for number in range(10):
        event = good()
        event.id = str(UUID(int=number, version=4))
        event.client_sequence = number
        event.occur_time.nanos = number * 1_000
        assert one(quick, event) == entry_of(event)
    assert rules.asked == 1


def test_an_event_that_was_in_time_is_too_early_for_an_earlier_clock() -> None:
    assert isinstance(one(QUICK, attempt()), Entry)
    assert isinstance(one(QUICK, attempt(), NOW.timestamp() - 1), Fault)


def test_what_one_field_may_hold_another_may_not() -> None:
    event = attempt()
    event.attempt.item, event.attempt.skills[0] = "learners/ada", "learners/ada"
    assert agreed(event)
    assert isinstance(one(QUICK, event), Fault)


def test_what_it_remembers_is_bounded_and_forgetting_changes_no_verdict() -> None:
    rules = Rules()
    quick = QuickExaminer(rules)
    event = attempt()
    for number in range(40_000):
        event.learner = f"learners/l{number}"
        event.occur_time.seconds = EARLIEST + number
        one(quick, event)
    assert rules.asked == 40_000
    for number in (0, 39_999):
        event.learner = f"learners/l{number}"
        event.occur_time.seconds = EARLIEST + number
        assert one(quick, event) == entry_of(event)
    assert rules.asked == 40_001
