from collections.abc import Callable
from datetime import datetime, timedelta
from math import inf, nan
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paideia.ingestion.v1.events_pb2 import LearningEvent

from domain.ingestion.rules import fault_of

Attempt = Callable[..., LearningEvent]
Change = Callable[[LearningEvent], object]

LATEST = datetime.fromisoformat("2026-09-01T08:05:00+00:00")


def fault_field(event: LearningEvent) -> str | None:
    fault = fault_of(event, LATEST.timestamp())
    return fault.field if fault else None


def setting(path: str, value: object) -> Change:
    """Returns a change that sets the field at a path such as `attempt.score`."""

    def change(event: LearningEvent) -> None:
        *parents, last = path.split(".")
        target = event
        for each in parents:
            target = getattr(target, each)
        setattr(target, last, value)

    return change


def at(moment: datetime) -> Change:
    return lambda event: event.occur_time.FromDatetime(moment)


def test_a_good_attempt_has_no_fault(attempt: Attempt) -> None:
    assert fault_field(attempt()) is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (setting("id", ""), "id"),
        (setting("id", "1234"), "id"),
        (setting("id", uuid4().hex), "id"),
        (setting("id", f"{uuid4()}\n"), "id"),
        (setting("learner", ""), "learner"),
        (setting("learner", "ada"), "learner"),
        (setting("learner", "learners/"), "learner"),
        (setting("learner", "users/ada"), "learner"),
        (setting("learner", "learners/ada/attempts"), "learner"),
        (setting("learner", "learners/-ada"), "learner"),
        (setting("learner", "learners/" + "a" * 129), "learner"),
        (setting("learner", "learners/ad\x00a"), "learner"),
        (lambda event: event.ClearField("occur_time"), "occur_time"),
        (at(LATEST + timedelta(seconds=1)), "occur_time"),
        (at(datetime.fromisoformat("1999-12-31T23:59:59+00:00")), "occur_time"),
        (setting("occur_time.seconds", 2**62), "occur_time"),
        (setting("occur_time.seconds", -1), "occur_time"),
        (setting("occur_time.nanos", -1), "occur_time"),
        (setting("occur_time.nanos", 1_000_000_000), "occur_time"),
        (setting("course", "fractions"), "course"),
        (setting("course", "courses/"), "course"),
        (setting("client_sequence", -1), "client_sequence"),
        (lambda event: event.ClearField("attempt"), "payload"),
        (setting("attempt.item", ""), "attempt.item"),
        (setting("attempt.item", "skills/half"), "attempt.item"),
        (lambda event: event.attempt.ClearField("skills"), "attempt.skills"),
        (lambda event: event.attempt.skills.append("halves"), "attempt.skills"),
        (lambda event: event.attempt.skills.append("skills/halves"), "attempt.skills"),
        (lambda event: event.attempt.skills.extend(f"skills/s{each}" for each in range(19)), "attempt.skills"),
        (setting("attempt.score", nan), "attempt.score"),
        (setting("attempt.score", inf), "attempt.score"),
        (setting("attempt.score", -inf), "attempt.score"),
        (setting("attempt.score", -0.1), "attempt.score"),
        (setting("attempt.score", 1.01), "attempt.score"),
        (setting("attempt.score", 0.5), "attempt.score"),
        (setting("attempt.item_revision", -1), "attempt.item_revision"),
        (setting("attempt.hints_revealed", -1), "attempt.hints_revealed"),
        (setting("attempt.hints_revealed", 101), "attempt.hints_revealed"),
        (setting("attempt.response_time.seconds", -1), "attempt.response_time"),
        (setting("attempt.response_time.nanos", -1), "attempt.response_time"),
        (lambda event: event.attempt.response_time.FromTimedelta(timedelta(hours=24, microseconds=1)), "attempt.response_time"),
        (setting("attempt.decision", "decisions/x"), "attempt.decision"),
        (setting("attempt.test_session", f"learners/ada/testSessions/{uuid4()}"), "attempt.test_session"),
        (setting("attempt.decision", f"policies/{uuid4()}"), "attempt.decision"),
        (lambda event: event.attempt.choices.extend(f"c{each}" for each in range(51)), "attempt.choices"),
        (lambda event: event.attempt.choices.append(""), "attempt.choices"),
        (lambda event: event.attempt.choices.append("c" * 129), "attempt.choices"),
        (setting("session.phase", 1), "session.session"),
        (setting("session.session", "s"), "session.phase"),
        (lambda event: event.session.MergeFromString(b"\x0a\x01s\x10\x63"), "session.phase"),
        (lambda event: (setting("session.phase", 1)(event), setting("session.session", "s" * 129)(event)), "session.session"),
        (lambda event: (setting("session.phase", 1)(event), setting("session.session", "s\x00")(event)), "session.session"),
        (lambda event: event.page_view.SetInParent(), "page_view.page"),
        (setting("page_view.page", "p" * 2_001), "page_view.page"),
        (lambda event: event.page_view.duration.FromTimedelta(timedelta(hours=25)), "page_view.duration"),
        (setting("media.media", "film"), "media.action"),
        (setting("media.action", 4), "media.media"),
        (lambda event: event.media.MergeFromString(b"\x0a\x01m\x10\x63"), "media.action"),
        (lambda event: (setting("media.action", 1)(event), setting("media.position.seconds", -1)(event)), "media.position"),
        (setting("hint.number", 1), "hint.item"),
        (setting("hint.item", "items/half"), "hint.number"),
        (lambda event: (setting("hint.item", "items/half")(event), setting("hint.number", 101)(event)), "hint.number"),
    ],
)
def test_a_fault_is_told_with_its_field(attempt: Attempt, change: Change, field: str) -> None:
    event = attempt()
    change(event)
    assert fault_field(event) == field


@pytest.mark.parametrize(
    "change",
    [
        setting("id", str(uuid4()).upper()),
        setting("course", ""),
        at(LATEST),
        at(datetime.fromisoformat("2000-01-01T00:00:00+00:00")),
        setting("attempt.score", 1.0),
        lambda event: (setting("attempt.correct", False)(event), setting("attempt.score", 0.0)(event)),
        lambda event: (setting("attempt.correct", False)(event), setting("attempt.score", 0.99)(event)),
        lambda event: event.attempt.response_time.FromTimedelta(timedelta(hours=24)),
        setting("attempt.hints_revealed", 100),
        setting("attempt.decision", f"decisions/{uuid4()}"),
        lambda event: event.attempt.skills.extend(f"skills/s{each}" for each in range(18)),
        lambda event: event.attempt.choices.extend(f"c{each}" for each in range(50)),
        lambda event: (setting("session.phase", 2)(event), setting("session.session", "s" * 128)(event)),
        setting("page_view.page", "/fractions/整数の割り算?step=1"),
        lambda event: (setting("media.action", 3)(event), setting("media.media", "film.mp4")(event)),
        lambda event: (setting("hint.item", "items/half")(event), setting("hint.number", 1)(event)),
    ],
)
def test_what_is_allowed_is_allowed_up_to_its_limit(attempt: Attempt, change: Change) -> None:
    event = attempt()
    change(event)
    assert fault_field(event) is None


@given(st.text(max_size=200), st.text(max_size=200), st.text(max_size=200), st.lists(st.text(max_size=50), max_size=25))
def test_no_text_makes_the_rules_fail(id: str, learner: str, item: str, skills: list[str]) -> None:
    event = LearningEvent(id=id, learner=learner, course=item)
    event.attempt.item = item
    event.attempt.skills.extend(skills)
    assert fault_field(event) is not None


@given(st.binary(max_size=200))
def test_no_decodable_bytes_make_the_rules_fail(data: bytes) -> None:
    event = LearningEvent()
    try:
        event.ParseFromString(data)
    except Exception:
        return
    fault_field(event)


@given(st.text(alphabet="abcXYZ019._~-/ é", min_size=1, max_size=140))
def test_remembering_a_name_does_not_change_the_verdict(id: str) -> None:
    event = LearningEvent(id=str(uuid4()), learner=f"learners/{id}")
    assert fault_field(event) == fault_field(event)
