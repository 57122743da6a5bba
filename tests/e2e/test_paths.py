"""A learner's path over REST through Envoy, adapting to answers that come through the real log."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.e2e.platform import Json, Platform

pytestmark = pytest.mark.e2e
PASSWORD = "a long enough passphrase 8"
PATHS = "/v1/learners/penny/paths"


@pytest.fixture(scope="module")
def penny(platform: Platform) -> str:
    platform.create_learner("penny", PASSWORD)
    return platform.token("demo", "penny", PASSWORD)


def path_body(path_id: str, days: int = 60, **fields: object) -> Json:
    due = (datetime.now(UTC).date() + timedelta(days=days)).isoformat()
    path = {"course": "courses/fractions", "dueDate": due, "minutesPerDay": 20} | fields
    return {"requestId": str(uuid4()), "pathId": path_id, "path": path}


def answer(platform: Platform, token: str, skill: str, correct: bool = True) -> None:
    event = {
        "id": str(uuid4()),
        "learner": "learners/penny",
        "occurTime": datetime.now(UTC).isoformat(),
        "course": "courses/fractions",
        "attempt": {"item": f"items/{uuid4()}", "skills": [skill], "correct": correct, "responseTime": "20s"},
    }
    verdict = platform.call("POST", "/v1/events:ingest", {"events": [event]}, token)
    assert verdict.status == 200, verdict


def test_a_path_is_planned_adapts_to_answers_and_says_why(platform: Platform, penny: str) -> None:
    body = path_body("first", title="To simplifying", goalSkills=["skills/fractions.simplify"])
    created = platform.call("POST", PATHS, body, platform.token())
    assert created.status == 200, created
    assert platform.call("POST", PATHS, body, platform.token()).body == created.body
    steps = created.body["steps"]
    first = steps[0]
    assert first["status"] == "STEP_STATUS_OPEN"
    assert steps[-1]["skill"] == "skills/fractions.simplify"
    assert created.body["feasibility"]["expectedMinutes"] == sum(each["expectedMinutes"] for each in steps)

    for _ in range(12):
        answer(platform, penny, first["skill"])

    def adapted() -> Json | None:
        found = platform.call("GET", f"{PATHS}/first", token=penny)
        assert found.status == 200, found
        by_skill = {each["skill"]: each for each in found.body["steps"]}
        return found.body if by_skill[first["skill"]]["status"] == "STEP_STATUS_DONE" else None

    after = platform.wait(adapted, 30, "the path's adaptation to the answers")
    assert int(after["revision"]) > 1
    assert after["feasibility"]["expectedMinutes"] < created.body["feasibility"]["expectedMinutes"]
    revisions = platform.call("GET", f"{PATHS}/first/revisions", token=penny).body["revisions"]
    reasons = [each["reason"] for each in revisions if each["cause"] == "REVISION_CAUSE_MASTERY"]
    assert any(f"{first['title']} is done" in each for each in reasons), revisions


def test_a_teachers_override_shows_with_the_name_and_the_learner_cannot_undo_it(platform: Platform, penny: str) -> None:
    assert platform.call("POST", PATHS, path_body("second"), platform.token()).status == 200
    path = platform.call("GET", f"{PATHS}/second", token=penny).body
    last = path["steps"][-1]
    pin = {"requestId": str(uuid4()), "kind": "OVERRIDE_KIND_PIN_FIRST", "skills": [last["skill"]], "note": "for Friday"}
    pinned = platform.call("POST", f"{PATHS}/second:overrideStep", pin, platform.token())
    assert pinned.status == 200, pinned
    reason = next(each["reason"] for each in pinned.body["steps"] if each["skill"] == last["skill"])
    assert "Put first by admin (“for Friday”)." in reason
    undo = {**pin, "requestId": str(uuid4()), "withdraw": True}
    assert platform.call("POST", f"{PATHS}/second:overrideStep", undo, penny).status == 403
    skip = {"requestId": str(uuid4()), "kind": "OVERRIDE_KIND_SKIP", "skills": [last["skill"]]}
    assert platform.call("POST", f"{PATHS}/second:overrideStep", skip, penny).status == 403
    later = {"requestId": str(uuid4()), "path": {"dueDate": "2020-01-01"}, "updateMask": "dueDate"}
    refused = platform.call("PATCH", f"{PATHS}/second", later, platform.token())
    assert (refused.status, refused.violated) == (400, ["path.due_date"])
    archived = platform.call("POST", f"{PATHS}/second:archive", {"requestId": str(uuid4())}, platform.token())
    assert archived.body["state"] == "PATH_STATE_ARCHIVED"
    listed = platform.call("GET", "/v1/learners/-/paths?course=courses/fractions", token=platform.token()).body["paths"]
    assert f"{PATHS[4:]}/second" not in [each["name"] for each in listed]
    assert platform.call("GET", "/v1/learners/-/paths", token=penny).status == 404


def test_what_cannot_be_meant_is_refused_with_its_field(platform: Platform, penny: str) -> None:
    for fields, field in (
        ({"goalSkills": ["skills/latin"]}, "path.goal_skills[0]"),
        ({"minutesPerDay": 0}, "path.minutes_per_day"),
        ({"minutesPerDay": 10_000}, "path.minutes_per_day"),
        ({"dueDate": "2020-01-01"}, "path.due_date"),
    ):
        refused = platform.call("POST", PATHS, path_body("never", **fields), penny)
        assert (refused.status, refused.violated) == (400, [field])
    assert platform.call("POST", PATHS, path_body("never", course="courses/latin"), penny).status == 404


def test_the_command_line_plans_shows_and_overrides(platform: Platform) -> None:
    platform.create_learner("petra")

    def said(*arguments: str) -> str:
        done = platform.paideia("path", *arguments)
        assert done.returncode == 0, done.stderr
        return " ".join(done.stdout.split())

    assert "Can be practised now" in said("create", "petra", "--goal", "simplify", "--days", "60", "--minutes", "30")
    assert "Left out by admin (“known”)." in said("override", "petra", "fractions", "skip", "simplify", "--note", "known")
    assert "40 minutes a day" in said("update", "petra", "fractions", "--minutes", "40")
    assert "admin left out Lowest terms (“known”)." in said("history", "petra", "fractions")
    assert "petra fractions" in said("list", "petra")
    said("archive", "petra", "fractions")
    assert said("list", "petra") == "No paths."
    wrong = platform.paideia("path", "create", "petra", "--id", "other", "--minutes", "10000")
    assert wrong.returncode == 1
    assert "minutes_per_day" in wrong.stderr
