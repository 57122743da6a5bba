"""Every process of a loaded platform is killed in turn: nothing acknowledged is lost or counted twice, and all heals."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from uuid import uuid4

import pytest

from tests.e2e.platform import ROOT, Platform, running_platform

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


@pytest.mark.parametrize("via", ["rest", "events"])
def test_a_replay_survives_the_killing_of_every_process(platform: Platform, data: Path, tmp_path: Path, via: str) -> None:
    file = tmp_path / f"killed-{via}.csv"
    file.write_text((data / "fraction.csv").read_text())
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PAIDEIA_")}
    environment["PAIDEIA_HOME"] = str(platform.home.path)
    # A few answers at a time, and again and again, so that there is load whenever something dies.
    replay = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "replay", str(file), "--via", via, "--concurrency", "4", "--json"],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(3)
    killed = []
    for name in killable(platform):
        part = platform.record.parts[name]
        before = part.restarts
        assert part.pid is not None
        os.kill(part.pid, signal.SIGKILL)
        killed.append(name)
        platform.wait(
            lambda name=name, before=before: platform.record.parts[name].restarts > before, 60, f"the restart of {name}"
        )
        platform.wait(lambda: ready(platform), 120, f"healing after {name}")
    output, errors = replay.communicate(timeout=600)
    assert output, errors
    report = json.loads(output)
    assert replay.returncode == 0, (report, errors)
    assert (report["acknowledged"], report["counted"], report["lost"], report["duplicated"]) == (10_720, 10_720, 0, 0)
    assert len(killed) >= 8


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
            part = platform.record.parts[name]
            before = part.restarts
            assert part.pid is not None
            os.kill(part.pid, signal.SIGKILL)
            platform.wait(
                lambda name=name, before=before: platform.record.parts[name].restarts > before, 60, f"the restart of {name}"
            )
            platform.wait(lambda: ready(platform), 120, f"healing after {name}")
    finally:
        stop.set()
        for each in asking:
            each.join()
    assert len(told) > 50
    for decision in told:
        platform.wait(
            lambda decision=decision: platform.call("GET", f"/v1/{decision}:explain", token=token).status == 200, 40, decision
        )
