"""Freezing and killing a store's processes."""

import os
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stack.launch import launch
from stack.part import Health, Part
from tests.stores import apart

_START_SECONDS = 60


def family(pid: int) -> list[int]:
    """Returns a process and all its descendants, parents first."""
    children: dict[int, list[int]] = {}
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = each.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        children.setdefault(int(fields[1]), []).append(int(each.parent.name))
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Stops a process and its descendants until the end of the block: they hold their connections, and answer nothing."""
    stopped: list[int] = []
    try:
        for each in family(pid):
            os.kill(each, signal.SIGSTOP)
            stopped.append(each)
        yield
    finally:
        for each in reversed(stopped):
            try:
                os.kill(each, signal.SIGCONT)
            except ProcessLookupError:
                continue


@contextmanager
def full_disk(pid: int) -> Iterator[None]:
    """Lets a process and its descendants write no byte to any file until the end of the block: each write fails, as on a full disk."""
    limited: list[tuple[int, tuple[int, int]]] = []
    try:
        for each in family(pid):
            before = resource.prlimit(each, resource.RLIMIT_FSIZE)
            resource.prlimit(each, resource.RLIMIT_FSIZE, (0, before[1]))
            limited.append((each, before))
        yield
    finally:
        for each, before in limited:
            with suppress(ProcessLookupError):
                resource.prlimit(each, resource.RLIMIT_FSIZE, before)


class Store:
    """A part of the stack that runs as a process of ours, to be frozen, killed, and started again at the same address."""

    def __init__(self, part: Part, log: Path) -> None:
        self.part = part
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        apart(self.part.prepare())
        start = launch(self.part.command(), self.part.stop_signal)
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(**start, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + _START_SECONDS
        while apart(self.part.probe()) is not Health.READY:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.part.name} did not start:\n{self._log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)
        apart(self.part.provision())

    def kill(self) -> None:
        """Ends it and its descendants without warning."""
        for each in reversed(family(self.pid)):
            try:
                os.kill(each, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait() if self._process else None

    def stop(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(self.part.stop_signal)
        try:
            self._process.wait(self.part.grace_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
