"""Starts, watches and stops a stack from outside its supervisor."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from stack.home import CHECKOUT, Home
from stack.processes import ProcessId
from stack.record import StackRecord, read_record
from stack.supervisor import ORPHAN_GRACE_SECONDS, StackFailed, stop_orphans

Show = Callable[[StackRecord], None]
_STOP_SECONDS = 90.0
_PATIENCE_SECONDS = 5.0
_RUNNING = ("ready", "degraded")
_left_running: list[subprocess.Popen[bytes]] = []
"""Supervisors outlive this process on purpose; a Popen that is dropped would complain that its child still runs."""
LOST_THE_RACE = 3
"""Exit code of a supervisor that found another one in its place."""


def running(home: Home) -> StackRecord | None:
    """The record of the stack that runs here, starting and stopping included; None when none does."""
    record = read_record(home.record)
    return record if record and record.supervisor.alive else None


def up(home: Home, show: Show = lambda record: None, seconds: float = 300) -> tuple[StackRecord, bool]:
    """Starts the stack unless it runs, waits until it is ready, and says whether this call started it. Raises StackFailed."""
    found = running(home)
    while found and found.state in ("stopping", "stopped", "failed"):
        time.sleep(0.1)
        found = running(home)
    child = None if found else _start(home)
    deadline = time.monotonic() + seconds
    seen = time.monotonic()
    while time.monotonic() < deadline:
        record = read_record(home.record)
        if record and record.supervisor.alive:
            seen = time.monotonic()
            show(record)
            if record.state in _RUNNING:
                return record, child is not None and child.pid == record.supervisor_pid
        elif child is not None and child.poll() is not None and child.returncode != LOST_THE_RACE:
            raise StackFailed(_why(home, record))
        elif (child is None or child.poll() is not None) and time.monotonic() - seen > _PATIENCE_SECONDS:
            raise StackFailed(_why(home, record))  # whoever was starting it has died
        time.sleep(0.1)
    raise StackFailed(f"the stack was not ready after {seconds:.0f} s; it goes on starting: see `paideia status`")


def down(home: Home, show: Show = lambda record: None) -> bool:
    """Stops the stack and what a killed supervisor left of one. Returns whether anything ran."""
    record = running(home)
    if record is None:
        return stop_orphans(home) > 0
    supervisor = record.supervisor
    supervisor.signal(signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while supervisor.alive and time.monotonic() < deadline:
        if now := read_record(home.record):
            show(now)
        time.sleep(0.1)
    if supervisor.alive:
        supervisor.signal(signal.SIGKILL)
        _wait_for(supervisor, ORPHAN_GRACE_SECONDS)
        stop_orphans(home)
    _left_running[:] = [each for each in _left_running if each.poll() is None]
    return True


def reset(home: Home) -> None:
    """Deletes the data, the secrets, the certificates and the logs of a stack that is down. Raises StackFailed when it runs."""
    if running(home):
        raise StackFailed("the stack runs: stop it first with `paideia down`")
    stop_orphans(home)
    for directory in (home.data, home.secrets, home.certificates, home.logs, home.run):
        shutil.rmtree(directory, ignore_errors=True)
    home.record.unlink(missing_ok=True)


def _start(home: Home) -> subprocess.Popen[bytes]:
    """Starts a supervisor that lives on when this process, its terminal or its session ends."""
    home.create()
    environment = dict(os.environ) | {"PYTHONPATH": os.pathsep.join((str(CHECKOUT), str(CHECKOUT / "gen")))}
    with _output(home).open("wb") as output:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "stack", str(home.path)],
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _left_running.append(supervisor)
    return supervisor


def _output(home: Home) -> Path:
    return home.run / "supervisor.out"


def _why(home: Home, record: StackRecord | None) -> str:
    if record and record.error:
        return record.error
    output = _output(home)
    lines = output.read_text(errors="replace").strip().splitlines() if output.exists() else []
    return lines[-1] if lines else "the supervisor ended without a word"


def _wait_for(process: ProcessId, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while process.alive and time.monotonic() < deadline:
        time.sleep(0.05)
