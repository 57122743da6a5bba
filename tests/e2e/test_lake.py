"""Events of a running platform, found in the lake by the command line."""

import csv
import io
import json
import subprocess
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from tests.e2e.platform import Platform

pytestmark = pytest.mark.e2e


def asked(platform: Platform, sql: str, *options: str) -> list[dict]:
    done = platform.paideia("lake", "query", sql, "--json", *options)
    return [json.loads(line) for line in done.stdout.splitlines()] if done.returncode == 0 else []


@pytest.fixture(scope="module")
def course(platform: Platform) -> str:
    """A course whose five attempts, of a learner named in no row, and one of them sent twice, are in the lake."""
    name = f"lake-{uuid4().hex[:8]}"
    platform.create_learner("lake-learner")
    now = datetime.now(UTC).isoformat()
    events = [
        {
            "id": str(uuid4()),
            "learner": "learners/lake-learner",
            "occurTime": now,
            "course": f"courses/{name}",
            "attempt": {"item": f"items/item-{number}", "skills": ["skills/s"], "correct": number % 2 == 0},
        }
        for number in range(5)
    ]
    for batch in (events, events[:1]):
        answer = platform.call("POST", "/v1/events:ingest", {"events": batch}, platform.token())
        assert (answer.status, answer.body["accepted"]) == (200, len(batch)), answer
    count = f"SELECT count(*) AS rows FROM attempts WHERE course = '{name}' HAVING count(*) = 5"
    platform.wait(lambda: asked(platform, count), 120, "the lake's next commit")
    return name


def test_events_are_rows_once_under_pseudonyms(platform: Platform, course: str) -> None:
    rows = asked(platform, f"SELECT * FROM attempts WHERE course = '{course}' ORDER BY item", "--organization", "demo")
    assert [each["correct"] for each in rows] == [True, False, True, False, True]
    assert "lake-learner" not in json.dumps(rows)
    assert len({each["learner"] for each in rows}) == 1
    assert asked(platform, "SELECT * FROM attempts", "--organization", "other") == []


def test_attempts_meet_their_progress(platform: Platform, course: str) -> None:
    sql = f"SELECT count(*) AS rows FROM progress JOIN attempts ON attempt = attempts.event_id WHERE attempts.course = '{course}'"
    platform.wait(lambda: asked(platform, f"SELECT * FROM ({sql}) WHERE rows = 5"), 120, "progress in the lake")


def test_answers_come_as_csv_and_as_a_table(platform: Platform, course: str) -> None:
    sql = f"SELECT item, score, skills FROM attempts WHERE course = '{course}' ORDER BY item"
    rows = list(csv.reader(io.StringIO(platform.paideia("lake", "query", sql, "--csv").stdout)))
    assert rows[:2] == [["item", "score", "skills"], ["item-0", "1.0", '["s"]']]
    assert "item-4" in platform.paideia("lake", "query", sql).stdout


def test_upkeep_by_command_changes_no_answer(platform: Platform, course: str) -> None:
    count = f"SELECT count(*) AS rows FROM attempts WHERE course = '{course}'"
    for arguments in (["compact"], ["expire", "--older-than", "1h"], ["doctor"]):
        done = platform.paideia("lake", *arguments, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "attempts" in {each["name"] for each in json.loads(done.stdout)["tables"]}
    assert asked(platform, count) == [{"rows": 5}]
    listed = json.loads(platform.paideia("lake", "tables", "--json").stdout)["tables"]
    assert next(each["rows"] for each in listed if each["name"] == "attempts") >= 5


def test_a_learner_is_forgotten_once(platform: Platform, course: str) -> None:
    assert platform.paideia("lake", "forget", "demo", "lake-learner").returncode == 0
    again = platform.paideia("lake", "forget", "demo", "lake-learner")
    assert again.returncode == 1
    assert "knows no learner" in again.stderr
    assert asked(platform, f"SELECT count(*) AS rows FROM attempts WHERE course = '{course}'") == [{"rows": 5}]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["query", "DELETE FROM attempts"], "one SELECT"),
        (["query", "SELECT * FROM nothing"], "nothing"),
        (["query", "SELECT 1", "--json", "--csv"], "either"),
        (["expire", "--older-than", "1m"], "from 1h"),
        (["expire", "--older-than", "soon"], "whole number"),
        (["compact", "--table", "nothing"], "no table nothing"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(platform: Platform, arguments: list[str], text: str) -> None:
    done: subprocess.CompletedProcess[str] = platform.paideia("lake", *arguments)
    assert done.returncode == 2
    assert text in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
