"""What events of the log become in the lake, also those of old versions and those that are none."""

import base64
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paideia.ingestion.v1.events_pb2 import MEDIA_ACTION_SOUGHT, LearningEvent
from paideia.progress.v1.events_pb2 import ProgressUpdated
from paideia.scheduler.v1.events_pb2 import DecisionMade
from paideia.scheduler.v1.scheduler_service_pb2 import Decision

from domain.analytics.lake import ALL_TABLES, TABLES
from services.analytics.lake_rows import NotARow, pseudonymised, quarantined, row_of
from tests.unit.analytics.lake_messages import NOW, Told, session_event, told

# Stored as they were written by the first version of each message: they must stay readable for ever.
FIRST_VERSIONS = {
    "user.attempts": (
        "paideia.ingestion.v1.LearningEvent",
        "CiQwMDAwMDAwMC0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMDAwMDESDGxlYXJuZXJzL2FkYRoGCICM2tQGIhFjb3Vyc2VzL2ZyYWN0"
        "aW9uczIWCghpdGVtcy9pMRIIc2tpbGxzL3MgAQ==",
    ),
    "user.sessions": (
        "paideia.ingestion.v1.LearningEvent",
        "CiQwMDAwMDAwMC0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMDAwMDESDGxlYXJuZXJzL2FkYRoGCICM2tQGIhFjb3Vyc2VzL2ZyYWN0aW9uczoGCgJzMRAB",
    ),
    "learning.events": (
        "paideia.ingestion.v1.LearningEvent",
        "CiQwMDAwMDAwMC0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMDAwMDESDGxlYXJuZXJzL2FkYRoGCICM2tQGIhFjb3Vyc2VzL2ZyYWN0"
        "aW9uc0IHCgVpbnRybw==",
    ),
    "progress.updates": (
        "paideia.progress.v1.ProgressUpdated",
        "CgxsZWFybmVycy9hZGEQAxoYbGVhcm5lcnMvYWRhL2F0dGVtcHRzL2ExIhFjb3Vyc2VzL2ZyYWN0aW9ucyoIaXRlbXMvaTExAAAA"
        "AAAA8D84AUFmZmZmZmbmP0onCghza2lsbHMvcxEzMzMzMzPjPxmamZmZmZnZPyGamZmZmZnpPygDUZqZmZmZmdk/Wc3MzMzMzOw/"
        "YZqZmZmZmcm/agYIgIza1AY=",
    ),
    "scheduler.decisions": (
        "paideia.scheduler.v1.DecisionMade",
        "CpcBCgxkZWNpc2lvbnMvZDESDGxlYXJuZXJzL2FkYRoRY291cnNlcy9mcmFjdGlvbnMgAioGCICM2tQGMgExOgVia3QtMUAHSAFQ"
        "A1olCghpdGVtcy9pMRGamZmZmZnpPyFmZmZmZmbmPykAAAAAAADQP2olCghpdGVtcy9pMREAAAAAAADQPxoOWW91IGFyZSByZWFk"
        "eS4gAQ==",
    ),
}


def attempt_event() -> LearningEvent:
    event = LearningEvent(id=str(UUID(int=1, version=4)), learner="learners/ada", course="courses/fractions", client_sequence=4)
    event.occur_time.FromDatetime(NOW)
    event.attempt.item = "items/halves"
    event.attempt.skills.extend(["skills/a", "skills/b"])
    event.attempt.correct = True
    event.attempt.response_time.FromTimedelta(timedelta(seconds=12.5))
    event.attempt.decision = "decisions/d1"
    return event


def test_an_attempt() -> None:
    assert row_of(told("user.attempts", attempt_event())) == {
        "event_id": str(UUID(int=1, version=4)),
        "organization": "north",
        "time": NOW,
        "learner": "ada",
        "course": "fractions",
        "sent_at": NOW,
        "item": "halves",
        "item_revision": None,
        "skills": ["a", "b"],
        "correct": True,
        "score": 1.0,
        "response_seconds": 12.5,
        "hints_revealed": 0,
        "decision": "d1",
        "test_session": None,
        "client_sequence": 4,
    }


def test_what_was_not_told_has_no_value_and_a_score_follows_from_the_answer() -> None:
    event = attempt_event()
    event.attempt.ClearField("response_time")
    event.attempt.correct = False
    row = row_of(told("user.attempts", event))
    assert (row["response_seconds"], row["score"]) == (None, 0.0)


def test_a_session_and_the_activities_of_a_learner() -> None:
    assert row_of(told("user.sessions", session_event(1)))["phase"] == "started"
    event = LearningEvent(id=str(UUID(int=1, version=4)), learner="learners/ada")
    event.occur_time.FromDatetime(NOW)
    event.media.media, event.media.action = "film", MEDIA_ACTION_SOUGHT
    event.media.position.FromTimedelta(timedelta(minutes=2))
    row = row_of(told("learning.events", event))
    assert (row["kind"], row["media"], row["action"], row["position_seconds"]) == ("media", "film", "sought", 120.0)
    event.hint.item, event.hint.number = "items/halves", 2
    row = row_of(told("learning.events", event))
    assert (row["kind"], row["item"], row["hint_number"]) == ("hint", "halves", 2)


def test_a_page_loses_its_query_which_may_name_people() -> None:
    event = LearningEvent(id=str(UUID(int=1, version=4)), learner="learners/ada")
    event.occur_time.FromDatetime(NOW)
    event.page_view.page = "https://school.example/page?mail=ada@example.org#ada"
    assert row_of(told("learning.events", event))["page"] == "https://school.example/page"
    event.page_view.page = "http://[broken?mail=ada"
    assert row_of(told("learning.events", event))["page"] == "http://[broken"


def test_a_learner_is_nowhere_in_a_pseudonymised_row() -> None:
    made = Decision(name="decisions/d1", learner="learners/ada-lovelace", course="courses/fractions")
    made.decide_time.FromDatetime(NOW)
    row = pseudonymised(row_of(told("scheduler.decisions", DecisionMade(decision=made))), "f" * 32)
    assert "ada-lovelace" not in repr(row)
    assert b"ada-lovelace" not in row["record"]
    assert Decision.FromString(row["record"]).learner == f"learners/{'f' * 32}"
    update = ProgressUpdated(learner="learners/ada-lovelace", attempt="learners/ada-lovelace/attempts/a1", item="items/i")
    update.answer_time.FromDatetime(NOW)
    row = pseudonymised(row_of(told("progress.updates", update)), "f" * 32)
    assert "ada-lovelace" not in repr(row)
    assert row["attempt"] == "a1"


def test_a_decision_from_before_there_were_modes_and_strategies() -> None:
    made = Decision(name="decisions/d1", learner="learners/ada")
    made.decide_time.FromDatetime(NOW)
    made.choices.add(item="items/i", propensity=0.25)
    row = row_of(told("scheduler.decisions", DecisionMade(decision=made)))
    assert row["mode"] == "practice"
    assert row["choices"][0]["arm_propensity"] == 0.25


FIRST_ROWS = {
    "user.attempts": {"item": "i1", "skills": ["s"], "correct": True, "score": 1.0, "test_session": None},
    "user.sessions": {"session": "s1", "phase": "started"},
    "learning.events": {"kind": "page_view", "page": "intro", "duration_seconds": None},
    "progress.updates": {"sequence": 3, "attempt": "a1", "ability": 0.4, "revision": 0, "response_seconds": None},
    "scheduler.decisions": {"decision": "d1", "mode": "practice", "arm": None, "arms": [], "shadow_of": None},
}


@pytest.mark.parametrize("topic", FIRST_VERSIONS)
def test_the_first_version_of_an_event_is_still_read(topic: str) -> None:
    type, stored = FIRST_VERSIONS[topic]
    headers = {"ce_id": str(UUID(int=1, version=4)), "ce_type": type, "ce_organization": "north"}
    row = row_of(Told(topic, base64.b64decode(stored), headers=headers))
    assert row.items() >= ({"learner": "ada", "course": "fractions", "time": NOW} | FIRST_ROWS[topic]).items()


def test_fields_of_a_later_version_are_passed_over() -> None:
    later = attempt_event().SerializeToString() + b"\xfa\x3e\x03abc"  # field 1007
    message = told("user.attempts", attempt_event())
    assert row_of(Told("user.attempts", later, headers=message.headers)) == row_of(message)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ce_type": "paideia.ingestion.v9.Other"}, "no events of type"),
        ({"ce_type": ""}, "no events of type"),
        ({"ce_id": "7"}, "no UUID"),
        ({"ce_organization": ""}, "whose"),
    ],
)
def test_headers_that_tell_no_row(change: dict[str, str], reason: str) -> None:
    message = told("user.sessions", session_event(1))
    with pytest.raises(NotARow, match=reason):
        row_of(Told(message.topic, message.value, headers=message.headers | change))


def test_payloads_that_are_no_row() -> None:
    with pytest.raises(NotARow, match="payload is session"):
        row_of(told("user.attempts", session_event(1)))
    with pytest.raises(NotARow, match="it is no"):
        row_of(Told("user.sessions", b"\xff\xff", headers=told("user.sessions", session_event(1)).headers))
    with pytest.raises(NotARow, match="learner"):
        row_of(told("user.sessions", session_event(1, learner="")))
    for seconds in (-(2**62), 0, 2**62):
        event = session_event(1)
        event.occur_time.seconds = seconds
        with pytest.raises(NotARow, match="its time"):
            row_of(told("user.sessions", event))


@given(st.binary(max_size=200), st.sampled_from([each.topic for each in TABLES]), st.text(max_size=10))
def test_whatever_bytes_come_they_are_a_row_or_are_told_why_not(value: bytes, topic: str, id: str) -> None:
    types = {"progress.updates": ProgressUpdated, "scheduler.decisions": DecisionMade}
    headers = {"ce_id": id, "ce_organization": "north", "ce_type": types.get(topic, LearningEvent).DESCRIPTOR.full_name}
    message = Told(topic, value, headers=headers)
    with pytest.raises(NotARow):
        row_of(message)
    row = quarantined(message, "why")
    assert set(row) == {each.name for each in ALL_TABLES[-1].columns}


def test_the_same_message_is_quarantined_as_the_same_and_without_its_content() -> None:
    once, again = (told("user.sessions", session_event(1, "ada-lovelace"), offset=each) for each in (3, 9))
    first, second = quarantined(once, "why"), quarantined(again, "why")
    assert first["event_id"] == second["event_id"]
    assert (first["log_offset"], second["log_offset"]) == (3, 9)
    assert "ada-lovelace" not in repr(first)
    assert first["time"] == NOW
