"""Drives a stack by its command line, as an operator does."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stack.processes import ProcessId, port_taken
from stack.record import PartRecord, StackRecord, read_record
from stack.settings import Ports

ROOT = Path(__file__).parents[3]
PARTS = ("postgres", "valkey", "objects", "broker", "identity", "edge")


def free_block() -> int:
    """The first of a hundred ports of which none that a stack takes is taken."""
    start = 20_000 + os.getpid() % 80 * 100
    for base in (*range(start, 30_000, 100), *range(20_000, start, 100)):
        ports = Ports(base)
        named = (ports.edge, ports.edge_admin, ports.edge_internal, ports.postgres, ports.valkey, ports.objects, ports.broker)
        if not any(port_taken(port) for port in (*named, ports.host(0), ports.metrics(0))):
            return base
    raise RuntimeError("no free ports")


@dataclass(frozen=True)
class CommandLine:
    """`paideia ...` on one directory."""

    home: Path
    port_base: int

    def __call__(self, *arguments: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cli.main", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PAIDEIA_")}
        return inherited | {
            "PAIDEIA_HOME": str(self.home),
            "PAIDEIA_PROCESSES": "identity",
            "PAIDEIA_PORT_BASE": str(self.port_base),
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'gen'}",
        }

    def json(self, *arguments: str) -> dict[str, Any]:
        done = self(*arguments, "--json")
        assert done.stdout, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    @property
    def record(self) -> StackRecord:
        record = read_record(self.home / "stack.json")
        assert record
        return record

    def secret(self, name: str) -> str:
        return (self.home / "secrets" / name).read_text().strip()


def process(part: PartRecord) -> ProcessId:
    assert part.process
    return part.process


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
