"""What the front door refuses, and how it says so."""

import contextlib
import json
import urllib.error
from uuid import uuid4

import pytest

from tests.e2e.platform import Platform

pytestmark = pytest.mark.e2e
PASSWORD = "a long enough passphrase 7"


@pytest.fixture(scope="module")
def south(platform: Platform) -> str:
    """An administrator of another organization."""
    answer = platform.call(
        "POST",
        "/v1/organizations",
        {
            "requestId": str(uuid4()),
            "organizationId": "south",
            "organization": {"displayName": "South School"},
            "adminUserId": "sue",
            "adminPassword": PASSWORD,
        },
        platform.token(),
    )
    assert answer.status == 200, answer
    return platform.token("south", "sue", PASSWORD)


@pytest.fixture(scope="module")
def bob(platform: Platform) -> str:
    platform.create_learner("bob", PASSWORD)
    return platform.token("demo", "bob", PASSWORD)


def test_without_a_token_the_answer_is_401(platform: Platform) -> None:
    answer = platform.call("GET", "/v1/learners/ada/mastery")
    assert answer.status == 401
    assert answer.body["code"] == 16


def test_a_tampered_token_is_401(platform: Platform) -> None:
    header, payload, signature = platform.token().split(".")
    for token in (
        f"{header}.{payload}.",
        f"{header}.{payload}.{'A' * len(signature)}",
        f"{header}.{payload[:-4]}AAAA.{signature}",
    ):
        assert platform.call("GET", "/v1/me", token=token).status == 401


@pytest.mark.parametrize(
    "path",
    [
        "/v1/courses/fractions",
        "/v1/users/bob",
        "/v1/skills/unit-fractions-none",
        "/v1/organizations/demo",
        "/v1/decisions/00000000-0000-4000-8000-000000000000",
    ],
)
def test_another_organizations_things_are_not_found(platform: Platform, south: str, bob: str, path: str) -> None:
    assert platform.call("GET", path, token=south).status == 404


def test_another_organizations_learner_has_nothing_to_show(platform: Platform, south: str, bob: str) -> None:
    view = platform.call("GET", "/v1/learners/bob/items/none?course=courses/fractions", token=south)
    assert view.status == 404
    body = {"requestId": str(uuid4()), "course": "courses/fractions"}
    assert platform.call("POST", "/v1/learners/bob:nextItems", body, south).status == 404
    mastery = platform.call("GET", "/v1/learners/bob/mastery", token=south)
    assert mastery.status == 404 or not mastery.body.get("skills")


def test_another_learner_is_not_found(platform: Platform, bob: str) -> None:
    platform.create_learner("eve")
    for path in ("/v1/learners/eve/mastery", "/v1/learners/eve/attempts", "/v1/learners/-/attempts"):
        assert platform.call("GET", path, token=bob).status == 404


def test_a_learner_may_not_write_courses(platform: Platform, bob: str) -> None:
    body = {"requestId": str(uuid4()), "courseId": "mine", "course": {"title": "Mine"}}
    assert platform.call("POST", "/v1/courses", body, bob).status == 403


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/learners/bob:nextItems", {"course": "courses/fractions"}, "request_id"),
        ("/v1/learners/bob:nextItems", {"requestId": str(uuid4()), "course": "fractions"}, "course"),
        ("/v1/learners/bob:nextItems", {"requestId": str(uuid4()), "course": "courses/fractions", "size": -1}, "size"),
        ("/v1/learners/bob:nextItems", {"requestId": str(uuid4()), "course": "courses/fractions", "size": 1_000_000}, "size"),
        ("/v1/learners/bob/responses", {"requestId": str(uuid4()), "course": "courses/fractions", "item": "items/x"}, "answer"),
        ("/v1/events:ingest", {"events": []}, "events"),
    ],
)
def test_a_wrong_field_is_named(platform: Platform, bob: str, path: str, body: dict, field: str) -> None:
    answer = platform.call("POST", path, body, bob)
    assert answer.status == 400, answer
    assert field in answer.violated


@pytest.mark.parametrize("body", [{"requestId": "x", "unknown": 1}, {"size": "many"}])
def test_an_unknown_or_mistyped_field_is_a_400(platform: Platform, bob: str, body: dict) -> None:
    assert platform.call("POST", "/v1/learners/bob:nextItems", body, bob).status == 400


def test_a_huge_body_is_refused_before_it_is_read(platform: Platform, bob: str) -> None:
    answer = platform.call("POST", "/v1/learners/bob/responses", {"requestId": "x" * 1_200_000}, bob)
    assert answer.status == 413
    # Of a body this long the client is still sending when the door shuts: it may see the refusal or only the shut door.
    with contextlib.suppress(urllib.error.URLError):
        assert platform.call("POST", "/v1/learners/bob/responses", {"requestId": "x" * 10_000_000}, bob).status == 413


def test_what_only_services_may_call_has_no_door(platform: Platform) -> None:
    assert platform.call("POST", "/paideia.progress.v1.ProgressService/RecordAttempts", {}, platform.token()).status in (
        404,
        415,
        501,
    )


def test_too_many_sign_ins_are_429_and_say_when_to_come_back(platform: Platform) -> None:
    platform.token()  # kept, so that the other tests need no sign-in while this address is slowed down
    answers = [platform.sign_in("demo", "nobody-at-all", "wrong") for _ in range(60)]
    slowed = [each for each in answers if each.status == 429]
    assert slowed, {each.status for each in answers}
    assert all(int(each.headers["retry-after"]) >= 1 for each in slowed)


def test_no_answer_tells_what_went_wrong_inside(platform: Platform, bob: str) -> None:
    for path in ("/v1/nothing", "/v1/learners/bob/responses/none", "/v1/courses/none?nope=1"):
        answer = platform.call("GET", path, token=bob)
        assert 400 <= answer.status < 500
        assert "Traceback" not in json.dumps(answer.body)
