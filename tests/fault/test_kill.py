"""Every process of a loaded platform is killed in turn: nothing acknowledged is lost or counted twice, and all heals."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

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
