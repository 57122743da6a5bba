"""Reports over REST through Envoy, of answers that come through the real log; and a file from the real object store."""

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from tests.e2e.platform import Json, Platform

pytestmark = pytest.mark.e2e
PASSWORD = "a long enough passphrase 9"
COURSE = "reported"


def answered(learner: str, item: str, correct: bool, at: datetime) -> Json:
    return {
        "id": str(uuid4()),
        "learner": f"learners/{learner}",
        "occurTime": at.isoformat(),
        "course": f"courses/{COURSE}",
        "attempt": {"item": f"items/{item}", "skills": ["skills/reported.one"], "correct": correct, "responseTime": "20s"},
    }


@pytest.fixture(scope="module")
def rita(platform: Platform) -> str:
    """A learner who has answered four items today, two of them right; each event is sent twice."""
    platform.create_learner("rita", PASSWORD)
    token: str = platform.token("demo", "rita", PASSWORD)
    now = datetime.now(UTC)
    events = [answered("rita", f"reported-{n}", n % 2 == 0, now - timedelta(seconds=n)) for n in range(4)]
    for _ in range(2):
        sent = platform.call("POST", "/v1/events:ingest", {"events": events}, token)
        assert sent.status == 200, sent
    return token


def test_answers_reach_the_reports_each_once(platform: Platform, rita: str) -> None:
    def counted() -> Json | None:
        found = platform.call("GET", f"/v1/courses/{COURSE}/skillHeatMap", token=platform.token())
        assert found.status == 200, found
        cells = found.body.get("cells", [])
        return cells[0] if cells and cells[0].get("attemptCount") == "4" and "mastery" in cells[0] else None

    cell = platform.wait(counted, 60, "the answers in the heat map")
    assert (cell["learner"], cell["skill"], cell["shareCorrect"]) == ("learners/rita", "skills/reported.one", 0.5)
    overview = platform.call("GET", f"/v1/courses/{COURSE}/overview", token=platform.token()).body
    assert overview["summary"]["attemptCount"] == "4"
    mine = platform.call("GET", f"/v1/learners/rita/report?course=courses/{COURSE}", token=rita)
    assert mine.body["progress"]["correctCount"] == "2"
    assert platform.call("GET", f"/v1/courses/{COURSE}/overview", token=rita).status == 403


def test_a_report_is_shown_and_written_to_a_file_by_the_command(platform: Platform, rita: str, tmp_path: Path) -> None:
    test_answers_reach_the_reports_each_once(platform, rita)
    shown = platform.paideia("report", "heatmap", "--course", COURSE)
    assert shown.returncode == 0, shown.stderr
    assert "rita" in shown.stdout
    items = json.loads(platform.paideia("report", "items", "--course", COURSE, "--json").stdout)["items"]
    out = tmp_path / "items.csv"
    exported = platform.paideia("report", "export", "items", "--course", COURSE, "--out", str(out))
    assert exported.returncode == 0, exported.stderr
    with out.open() as lines:
        rows = list(csv.DictReader(lines))
    assert [(f"items/{row['item']}", row["learners"], row["attempts"]) for row in rows] == [
        (each["item"], each["learnerCount"], each["attemptCount"]) for each in items
    ]
    rebuilt = platform.paideia("report", "rebuild", "--json")
    assert json.loads(rebuilt.stdout).get("differenceCount", "0") == "0"
