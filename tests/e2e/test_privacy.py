"""A learner of a running platform has everything collected, and is erased from every context."""

import io
import json
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from redis import Redis

from tests.e2e.platform import Json, Platform

pytestmark = pytest.mark.e2e

LEARNER, NAME, EMAIL = "zebediah.quill", "Zebediah Quill", "zebediah.quill@example.org"
COURSE = "course-of-the-erased"
PARTIES = {"identity", "assessment", "progress", "scheduler", "paths", "analytics", "inference"}


def fresh_token(platform: Platform) -> str:
    answer = platform.sign_in("demo", "admin", platform.password)
    assert answer.status == 200, answer
    return str(answer.body["accessToken"])


def ended(platform: Platform, job: Json, token: str) -> Json:
    """The job once it has ended."""

    def look() -> Json | None:
        found: Json = platform.call("GET", f"/v1/{job['name']}", token=token).body
        return found if found["state"] == "PRIVACY_JOB_STATE_SUCCEEDED" else None

    return platform.wait(look, 240, f"the end of {job['name']}")


@pytest.fixture(scope="module")
def learner(platform: Platform) -> Iterator[str]:
    """Somebody who has answered; the organization erases without a grace period meanwhile."""
    token = platform.token()
    user = {"displayName": NAME, "email": EMAIL, "roles": ["ROLE_LEARNER"]}
    body: Json = {"requestId": str(uuid4()), "userId": LEARNER, "user": user}
    assert platform.call("POST", "/v1/users", body, token).status == 200
    event = {
        "id": str(uuid4()),
        "learner": f"learners/{LEARNER}",
        "occurTime": datetime.now(UTC).isoformat(),
        "course": f"courses/{COURSE}",
        "attempt": {"item": "items/one", "skills": ["skills/privacy"], "correct": True},
    }
    assert platform.call("POST", "/v1/events:ingest", {"events": [event]}, token).status == 200
    attempts = f"/v1/learners/{LEARNER}/attempts"
    platform.wait(lambda: platform.call("GET", attempts, token=token).body.get("attempts"), 60, "the attempt")
    settings = "organizations/demo/privacySettings"
    for days in (0, 7):
        body = {"requestId": str(uuid4()), "settings": {"name": settings, "erasureGraceDays": days}}
        body["updateMask"] = "erasureGraceDays"
        changed = platform.call("PATCH", f"/v1/{settings}", body, token)
        assert changed.status == 200, changed
        if days == 0:
            yield LEARNER


def test_a_person_is_exported_and_then_gone(platform: Platform, learner: str) -> None:
    token = fresh_token(platform)
    order = platform.call("POST", f"/v1/users/{learner}:export", {"requestId": str(uuid4())}, token)
    assert order.status == 200, order
    export = ended(platform, order.body, token)
    with urllib.request.urlopen(export["downloadUri"], timeout=30) as answer:
        archive = zipfile.ZipFile(io.BytesIO(answer.read()))
    assert {name.removesuffix(".json") for name in archive.namelist()} == PARTIES | {"manifest"}
    assert json.loads(archive.read("identity.json"))["user"][0]["email"] == EMAIL
    assert len(json.loads(archive.read("progress.json"))["attempts"]) == 1

    order = platform.call("POST", f"/v1/users/{learner}:erase", {"requestId": str(uuid4())}, token)
    assert order.status == 200, order
    erasure = ended(platform, order.body, token)
    assert {each["context"] for each in erasure["receipts"]} == PARTIES
    pseudonym = erasure["user"].removeprefix("users/")
    assert platform.call("GET", f"/v1/users/{learner}", token=token).status == 404
    left = platform.call("GET", f"/v1/users/{pseudonym}", token=token).body
    assert "displayName" not in left or not left["displayName"]
    assert platform.call("GET", f"/v1/learners/{learner}/attempts", token=token).body.get("attempts", []) == []
    assert len(platform.call("GET", f"/v1/learners/{pseudonym}/attempts", token=token).body["attempts"]) == 1
    assert platform.call("GET", f"/v1/{export['name']}", token=token).body["state"] == "PRIVACY_JOB_STATE_EXPIRED"


def test_nothing_in_the_stack_still_names_an_erased_person(platform: Platform, learner: str) -> None:
    """No file of the stack (databases with their logs of changes, the event log, buckets, logs) and no value of the cache."""
    mails = platform.home.mails
    files = [path for path in sorted(platform.home.path.rglob("*")) if path.is_file() and mails not in path.parents]
    words = {path: held(path, NAME, EMAIL, COURSE) for path in files}
    assert any(COURSE in each for each in words.values())  # what is not personal is found where it was stored
    assert [path for path, each in words.items() if each - {COURSE}] == []
    password = (platform.home.secrets / "valkey").read_text().strip()
    with Redis.from_url(f"redis://:{password}@{platform.record.addresses['valkey']}/0") as cache:
        keys = [*cache.scan_iter(count=1_000)]
        assert keys
        assert [key for key in keys if any(word.encode() in key for word in (learner, NAME, EMAIL))] == []
        texts = [key for key in keys if cache.type(key) == b"string"]
        values = cache.mget(texts) if texts else []
        assert [
            key for key, value in zip(texts, values, strict=True) if value and (NAME.encode() in value or EMAIL.encode() in value)
        ] == []
    found = platform.wait(lambda: rows_of_lake(platform, learner), 120, "the lake's next commit")
    assert found["naming"] == 0


def rows_of_lake(platform: Platform, word: str) -> Json | None:
    """Returns how many rows the lake has, and how many with a word anywhere in them; None while it has none."""
    tables = [each["name"] for each in json.loads(platform.paideia("lake", "tables", "--json").stdout)["tables"]]
    rows = " UNION ALL ".join(f"SELECT to_json(t)::VARCHAR AS row FROM {each} AS t" for each in tables)
    sql = f"SELECT count(*) AS rows, count(*) FILTER (contains(row, '{word}')) AS naming FROM ({rows})"
    found: Json = json.loads(platform.paideia("lake", "query", sql, "--json").stdout) if tables else {"rows": 0}
    return found if found["rows"] else None


def held(path: Path, *words: str) -> set[str]:
    """Returns which of the words a file has in it, in any case of their letters."""
    try:
        content = path.read_bytes().lower()
    except FileNotFoundError:  # tidied up meanwhile
        return set()
    return {word for word in words if word.lower().encode() in content}


def test_keys_are_rotated_while_people_sign_in_and_names_are_read(platform: Platform) -> None:
    token = fresh_token(platform)

    def sign_in() -> int:
        time.sleep(1.0)  # more often from one address is refused
        return platform.sign_in("demo", "admin", platform.password).status

    def read_names() -> int:
        return platform.call("GET", "/v1/users", token=token).status

    with platform.asked_meanwhile(sign_in, read_names, read_names) as seen:
        rotated = platform.paideia("keys", "rotate", "--reencrypt", "--json")
    assert rotated.returncode == 0, rotated.stderr
    assert json.loads(rotated.stdout)["rows"] > 0
    assert set(seen) == {200}
