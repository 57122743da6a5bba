"""Processes by pid and birth, so that a number that another process got later is never mistaken, and never signalled."""

import contextlib
import functools
import os
import signal
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class ProcessId:
    pid: int
    birth: str
    """Differs between two processes that had the same pid."""

    @classmethod
    def of(cls, pid: int) -> "ProcessId | None":
        """None when there is no such process, or only its remains wait to be collected."""
        birth = _birth(pid)
        return None if birth is None else cls(pid, birth)

    @property
    def alive(self) -> bool:
        return _birth(self.pid) == self.birth

    def signal(self, number: signal.Signals) -> None:
        """Signals the process if it still lives."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def memory(self, children: bool = True) -> int:
        """Bytes that belong to it alone, with its share of what it shares (PSS); 0 when it cannot be read."""
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            return sum(_own_memory(each) for each in (process, *(process.children(recursive=True) if children else ())))
        return 0


def _own_memory(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error, OSError):
        # Resident size alone counts PostgreSQL's shared buffers once for each of its processes.
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    with contextlib.suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0


@functools.cache
def _boot() -> str:
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""


def _birth(pid: int) -> str | None:
    try:
        # Ticks since boot: unlike a wall-clock time it does not move when the clock is set.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else f"{_boot()}:{fields[19]}"
    except OSError:
        pass
    if Path("/proc/self/stat").exists():
        return None
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.Error:
        return None


def stop_all(processes: Iterable[tuple[ProcessId, signal.Signals]], grace_seconds: float) -> None:
    """Asks each to end by its signal, waits, and kills what is left, with its process group."""
    waiting = list(processes)
    for process, number in waiting:
        process.signal(number)
    deadline = time.monotonic() + grace_seconds
    while time.monotonic() < deadline and any(process.alive for process, _ in waiting):
        time.sleep(0.05)
    for process, _ in waiting:
        if process.alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # each part leads a group
            process.signal(signal.SIGKILL)


def port_taken(port: int) -> bool:
    """Whether something listens on the port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def owner_of(port: int) -> str:
    """Says who listens on a port, as far as this account may know: "python (pid 12)", or nothing."""
    with contextlib.suppress(psutil.Error, OSError):
        for each in psutil.net_connections("tcp"):
            if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port and each.pid:
                return f"{psutil.Process(each.pid).name()} (pid {each.pid})"
    return ""
