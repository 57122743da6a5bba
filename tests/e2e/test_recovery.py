"""A platform that is backed up while it serves, restored to a moment, and drilled."""

import asyncio
import json
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from stack.backup.restoring import running_alone
from stack.home import Home
from tests.e2e.platform import Platform

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def backups(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("recovery")
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


def answer(platform: Platform, learner: str) -> str:
    """Has a learner answer something through the log, and returns the attempt's id when progress has counted it."""
    id = str(uuid4())
    event = {
        "id": id,
        "learner": f"learners/{learner}",
        "course": "courses/fractions",
        "occurTime": datetime.now(UTC).isoformat(),
        "attempt": {"item": "items/recovery", "skills": ["skills/recovery"], "correct": True},
    }
    sent = platform.call("POST", "/v1/events:ingest", {"events": [event]}, platform.token())
    assert sent.status == 200, sent
    platform.wait(
        lambda: platform.call("GET", f"/v1/learners/{learner}/attempts/{id}", token=platform.token()).status == 200,
        60,
        "the count",
    )
    return id


def paideia(platform: Platform, *arguments: str | Path) -> dict[str, object]:
    done = platform.paideia(*arguments, "--json")
    assert done.returncode == 0, (done.stdout, done.stderr)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def attempts(home: Path) -> set[str]:
    async def read() -> set[str]:
        async with running_alone(Home(home)) as connection:
            return {row[0] for row in await connection.fetch("SELECT id::text FROM progress.attempts")}

    return asyncio.run(read())


def batches(home: Path) -> set[str]:
    return {each.as_posix() for each in (home / "data/objects/events").rglob("*.batch")}


def test_a_moment_between_two_backups_has_what_was_before_it_and_nothing_of_what_came_after(
    platform: Platform, backups: Path
) -> None:
    where = ("--repository", backups / "repository")
    assert paideia(platform, "backup", "create", *where)["kind"] == "full"
    before = answer(platform, "recovery-before")
    time.sleep(1.5)  # what progress has told of it is in the log, too
    moment = datetime.now(UTC).isoformat()
    after = answer(platform, "recovery-after")
    assert paideia(platform, "backup", "create", *where)["kind"] == "incremental"
    assert paideia(platform, "backup", "verify", *where)["good"] is True

    then, now = backups / "then", backups / "now"
    paideia(platform, "restore", "--into", then, "--to", moment, *where)
    paideia(platform, "restore", "--into", now, *where)
    assert {before, after} & attempts(then) == {before}
    assert {before, after} <= attempts(now)
    assert {each.removeprefix(str(then)) for each in batches(then)} < {each.removeprefix(str(now)) for each in batches(now)}

    again = platform.paideia("restore", "--into", then, *where)
    assert again.returncode == 1
    assert "not empty" in again.stderr


def test_what_cannot_be_restored_is_refused_with_the_reason_and_leaves_nothing(platform: Platform, backups: Path) -> None:
    where = ("--repository", backups / "repository")
    wrong = backups / "passphrase"
    wrong.write_text("not the passphrase of this")
    for arguments, told in (
        (("--to", "2020-01-01T00:00:00Z"), "nothing earlier"),
        (("--to", "2999-01-01T00:00:00Z"), "nothing later"),
        (("--passphrase-file", wrong), "passphrase"),
        (("--to", "yesterday"), "write a moment"),
    ):
        refused = platform.paideia("restore", "--into", backups / "refused", *arguments, *where)
        assert refused.returncode != 0
        assert told in refused.stderr, refused
        assert not (backups / "refused").exists()


def test_a_drill_proves_that_tables_objects_and_answers_are_the_same(platform: Platform, backups: Path) -> None:
    report = paideia(platform, "backup", "drill", "--repository", backups / "repository")
    assert report["good"] is True, report
    assert not list(platform.home.path.glob("drill-*"))


def test_retention_plans_and_applies_while_the_platform_serves(platform: Platform) -> None:
    paideia(platform, "retention", "apply")
    planned = paideia(platform, "retention", "plan")
    assert planned["database"] == []


def test_a_hold_is_placed_listed_and_released(platform: Platform) -> None:
    placed = paideia(platform, "hold", "place", "demo", "--reason", "case 17")
    try:
        assert paideia(platform, "retention", "plan")["held"] == ["demo"]
    finally:
        paideia(platform, "hold", "release", str(placed["id"]))
    assert paideia(platform, "hold", "list")["holds"] == []
    assert platform.paideia("hold", "place", "nobody", "--reason", "x").returncode == 1
