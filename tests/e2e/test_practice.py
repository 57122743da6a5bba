"""The practice flow over REST through Envoy, as a learner's browser and a teacher's would use it."""

from uuid import uuid4

import pytest

from tests.e2e.platform import Json, Platform

pytestmark = pytest.mark.e2e
PASSWORD = "a long enough passphrase 7"


@pytest.fixture(scope="module")
def ada(platform: Platform) -> str:
    platform.create_learner("ada", PASSWORD)
    return platform.token("demo", "ada", PASSWORD)


def next_item(platform: Platform, token: str, learner: str = "ada") -> Json:
    answer = platform.call(
        "POST", f"/v1/learners/{learner}:nextItems", {"requestId": str(uuid4()), "course": "courses/fractions", "size": 3}, token
    )
    assert answer.status == 200, answer
    return answer.body


def wrong_or_right_answer(body: Json) -> Json:
    """Any answer of the right kind: what it scores does not matter here."""
    if "choice" in body:
        return {"choice": {"chosen": [body["choice"]["choices"][0]["id"]]}}
    if "numeric" in body:
        return {"numeric": {"value": "1/2", "unit": (body["numeric"].get("units") or [""])[0]}}
    if "shortText" in body:
        return {"shortText": {"text": "one half"}}
    if "ordering" in body:
        return {"ordering": {"order": [each["id"] for each in body["ordering"]["entries"]]}}
    if "matching" in body:
        target = body["matching"]["targets"][0]["id"]
        return {"matching": {"matches": {body["matching"]["sources"][0]["id"]: target}}}
    return {"cloze": {"gaps": {}}}


def test_a_learner_practises_and_sees_why_and_what_it_changed(platform: Platform, ada: str) -> None:
    chosen = next_item(platform, ada)
    assert len(chosen["items"]) == 3
    assert all(each["reason"] and 0 < each["predictedCorrect"] < 1 for each in chosen["items"])
    item = chosen["items"][0]["item"]

    view = platform.call("GET", f"/v1/learners/ada/{item}?course=courses/fractions", token=ada)
    assert view.status == 200, view
    assert "key" not in view.body

    hint = platform.call(
        "POST", f"/v1/learners/ada/{item}:revealHint", {"requestId": str(uuid4()), "course": "courses/fractions"}, ada
    )
    assert hint.status == 200, hint
    assert hint.body["text"]

    submission = {
        "requestId": str(uuid4()),
        "course": "courses/fractions",
        "item": item,
        "decision": chosen["decision"],
        "responseTime": "12.5s",
        "answer": wrong_or_right_answer(view.body["body"]),
    }
    first = platform.call("POST", "/v1/learners/ada/responses", submission, ada)
    assert first.status == 200, first
    assert first.body["explanation"]
    assert first.body["hintsRevealed"] == 1
    assert platform.call("POST", "/v1/learners/ada/responses", submission, ada).body == first.body

    attempt = platform.call("GET", f"/v1/learners/ada/attempts/{submission['requestId']}", token=ada)
    assert attempt.status == 200, attempt
    assert 0 < attempt.body["predictedCorrect"] < 1
    assert attempt.body["decision"] == chosen["decision"]

    mastery = platform.call("GET", "/v1/learners/ada/mastery", token=ada)
    assert {each["name"].rpartition("/")[2] for each in mastery.body["skills"]} >= {
        each.removeprefix("skills/") for each in attempt.body["skills"]
    }
    assert all(each["lower"] <= each["mean"] <= each["upper"] for each in mastery.body["skills"])
    evidence = platform.call("GET", f"/v1/learners/ada/{attempt.body['skills'][0]}/mastery", token=ada)
    assert evidence.body["evidence"][0]["attempt"] == attempt.body["name"]

    for audience, token in (
        ("AUDIENCE_LEARNER", ada),
        ("AUDIENCE_TEACHER", platform.token()),
        ("AUDIENCE_AUDITOR", platform.token()),
    ):
        explained = platform.call("GET", f"/v1/{chosen['decision']}:explain?audience={audience}", token=token)
        assert explained.status == 200, explained
        assert explained.body["summary"]
        assert len(explained.body["items"]) == 3


def test_the_very_next_decision_knows_the_answer(platform: Platform, ada: str) -> None:
    before = next_item(platform, ada)
    item = before["items"][0]["item"]
    view = platform.call("GET", f"/v1/learners/ada/{item}?course=courses/fractions", token=ada).body
    submission = {
        "requestId": str(uuid4()),
        "course": "courses/fractions",
        "item": item,
        "answer": wrong_or_right_answer(view["body"]),
    }
    assert platform.call("POST", "/v1/learners/ada/responses", submission, ada).status == 200
    after = next_item(platform, ada)
    record = platform.call("GET", f"/v1/{after['decision']}", token=platform.token()).body
    earlier = platform.call("GET", f"/v1/{before['decision']}", token=platform.token()).body
    assert int(record["learnerSequence"]) == int(earlier.get("learnerSequence", 0)) + 1


def test_a_decision_repeats_itself_under_its_request_id(platform: Platform, ada: str) -> None:
    body = {"requestId": str(uuid4()), "course": "courses/fractions", "size": 2}
    answers = [platform.call("POST", "/v1/learners/ada:nextItems", body, ada) for _ in range(2)]
    assert answers[0].status == 200
    assert answers[0].body == answers[1].body
    assert platform.call("POST", "/v1/learners/ada:nextItems", {**body, "size": 5}, ada).status == 409


def test_events_are_counted_like_answers(platform: Platform, ada: str) -> None:
    event = {
        "id": str(uuid4()),
        "learner": "learners/ada",
        "occurTime": "2026-03-01T10:00:00Z",
        "course": "courses/fractions",
        "attempt": {"item": "items/seen-elsewhere", "skills": ["skills/seen-elsewhere"], "correct": True},
    }
    bad = {**event, "id": "not a uuid"}
    verdict = platform.call("POST", "/v1/events:ingest", {"events": [bad, event, event]}, ada)
    assert verdict.status == 200, verdict
    assert verdict.body["accepted"] == 2
    assert [(each.get("index", 0), each["field"]) for each in verdict.body["refused"]] == [(0, "id")]
    path = f"/v1/learners/ada/attempts/{event['id']}"
    platform.wait(lambda: platform.call("GET", path, token=ada).status == 200, 30, "the event being counted")
    mastery = platform.call("GET", "/v1/learners/ada/skills/seen-elsewhere/mastery", token=ada).body
    assert mastery["attemptCount"] == "1"
