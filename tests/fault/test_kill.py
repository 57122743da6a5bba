"""Every process of a loaded platform is killed in turn: nothing acknowledged is lost or counted twice, and all heals."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from uuid import uuid4

import pytest

from tests.e2e.platform import ROOT, Platform, running_platform
from tests.fault.processes import frozen

pytestmark = [pytest.mark.fault, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A stack of its own: what is killed here must not disturb the other tests."""
    with running_platform(tmp_path_factory.mktemp("fault")) as platform:
        yield platform


def killable(platform: Platform) -> list[str]:
    return [name for name, part in platform.record.parts.items() if part.pid is not None]


def ready(platform: Platform) -> bool:
    return platform.record.state == "ready"


def kill(platform: Platform, name: str) -> None:
    """Ends a process without warning, and waits until the platform has healed."""
    part = platform.record.parts[name]
    assert part.pid is not None
    os.kill(part.pid, signal.SIGKILL)
    platform.wait(lambda: platform.record.parts[name].restarts > part.restarts, 60, f"the restart of {name}")
    platform.wait(lambda: ready(platform), 120, f"healing after {name}")


@contextmanager
def replaying(platform: Platform, file: Path, via: str) -> Iterator[None]:
    """Replays the answers of a file during the block, a few at a time; then every one of them must be counted, and once."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PAIDEIA_")}
    environment["PAIDEIA_HOME"] = str(platform.home.path)
    replay = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "replay", str(file), "--via", via, "--concurrency", "4", "--json"],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        time.sleep(2)
        yield
        output, errors = replay.communicate(timeout=300)
    finally:
        replay.kill()
    assert output, errors
    report = json.loads(output)
    assert replay.returncode == 0, (report, errors)
    answers = len(file.read_text().splitlines()) - 1
    assert (report["acknowledged"], report["counted"], report["lost"], report["duplicated"]) == (answers, answers, 0, 0)


def answers_in(folder: Path, data: Path, name: str, most: int | None = None) -> Path:
    """The first answers of the fraction data, under a name of their own: it makes their ids."""
    file = folder / f"{name}.csv"
    lines = (data / "fraction.csv").read_text().splitlines(keepends=True)
    file.write_text("".join(lines[: most and most + 1]))
    return file


def test_answers_through_both_doors_survive_the_killing_of_every_process(platform: Platform, data: Path, tmp_path: Path) -> None:
    doomed = killable(platform)
    assert len(doomed) >= 8
    with (
        replaying(platform, answers_in(tmp_path, data, "killed-rest", 5_000), "rest"),
        replaying(platform, answers_in(tmp_path, data, "killed-events"), "events"),
    ):
        for name in doomed:
            kill(platform, name)


def test_answers_survive_the_freezing_of_every_store_the_cache_included(platform: Platform, data: Path, tmp_path: Path) -> None:
    stores = ("valkey", "postgres", "objects", "broker")
    with replaying(platform, answers_in(tmp_path, data, "frozen", 2_000), "rest"):
        for name in (*stores, *(each for each in killable(platform) if each.startswith("progress"))):
            pid = platform.record.parts[name].pid
            assert pid is not None
            with frozen(pid):
                time.sleep(2)
    platform.wait(lambda: ready(platform), 60, "healing after the last")


def test_every_decision_that_was_told_can_be_explained_whatever_dies(platform: Platform) -> None:
    assert platform.paideia("load", "fractions").returncode == 0
    token = platform.token()
    learners = [f"learner-{number}" for number in range(8)]
    for learner in learners:
        platform.create_learner(learner)
    told: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            for learner in learners:
                body = {"requestId": str(uuid4()), "course": "courses/fractions", "size": 3}
                try:
                    answer = platform.call("POST", f"/v1/learners/{learner}:nextItems", body, token)
                except (URLError, OSError):  # the edge was away; nothing was told
                    continue
                if answer.status == 200:
                    told.append(answer.body["decision"])

    asking = [threading.Thread(target=ask) for _ in range(2)]
    for each in asking:
        each.start()
    try:
        doomed = [each for each in killable(platform) if each.startswith(("scheduler", "valkey", "postgres"))]
        assert len(doomed) >= 3
        for name in doomed:
            time.sleep(1)
            kill(platform, name)
    finally:
        stop.set()
        for each in asking:
            each.join()
    assert len(told) > 50
    unexplained = dict.fromkeys(told, 0)

    def explained() -> bool:
        for decision in list(unexplained):
            unexplained[decision] = platform.call("GET", f"/v1/{decision}:explain", token=token).status
            if unexplained[decision] == 200:
                del unexplained[decision]
        return not unexplained

    try:
        platform.wait(explained, 60, "explaining every decision")
    except AssertionError:
        raise AssertionError(f"of {len(told)} decisions these were not explained: {unexplained}") from None
