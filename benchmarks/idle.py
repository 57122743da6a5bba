"""What a stack costs while nobody asks it anything: `python benchmarks/idle.py [--seconds 60] [--settle 30] [--home .paideia]`.

Starts a stack of its own, or measures the one that runs in `--home`. Prints JSON: the processor seconds of each part with the processes that
it started, how many cores those are, and how often it was given a processor (context switches a second).
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from stack.home import Home
from stack.record import StackRecord, read_record
from tests.e2e.platform import Platform, running_platform


@dataclass(frozen=True, slots=True)
class Spent:
    seconds: float = 0.0
    switches: int = 0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.seconds + other.seconds, self.switches + other.switches)

    def __sub__(self, other: "Spent") -> "Spent":
        return Spent(self.seconds - other.seconds, self.switches - other.switches)


def spent_by(pid: int) -> Spent:
    """What a process and all below it have had so far."""
    root = psutil.Process(pid)
    total = Spent()
    for each in (root, *root.children(recursive=True)):
        try:
            times = each.cpu_times()
            total += Spent(times.user + times.system, sum(_switches(each.pid)))
        except (psutil.NoSuchProcess, FileNotFoundError):
            continue
    # A child that ended is counted with whoever waited for it.
    ended = root.cpu_times()
    return total + Spent(ended.children_user + ended.children_system)


def _switches(pid: int) -> Iterator[int]:
    """Of all threads, which the kernel counts one by one."""
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        try:
            lines = status.read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        yield sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)


def processes(record: StackRecord) -> Mapping[str, int]:
    parts = {name: part.pid for name, part in record.parts.items() if part.pid is not None and psutil.pid_exists(part.pid)}
    return {name: pid for name, pid in parts.items() if pid is not None}


def measured(record: StackRecord, seconds: float) -> dict[str, object]:
    parts = processes(record)
    own = psutil.Process(record.supervisor_pid)
    begin = time.perf_counter()
    before = {name: spent_by(pid) for name, pid in parts.items()}
    supervisor = own.cpu_times()
    time.sleep(seconds)
    after = {name: spent_by(pid) for name, pid in parts.items()}
    supervised = own.cpu_times()
    over = time.perf_counter() - begin
    differences = {name: after[name] - before[name] for name in parts}
    # The parts are the supervisor's children, so only what it does itself is its own.
    differences["supervisor"] = Spent(supervised.user + supervised.system - supervisor.user - supervisor.system)
    total = sum(each.seconds for each in differences.values())
    return {
        "seconds": round(over, 1),
        "cpu_seconds": round(total, 2),
        "share_of_a_core": round(total / over, 3),
        "parts": {
            name: {
                "cpu_seconds": round(each.seconds, 2),
                "share_of_a_core": round(each.seconds / over, 4),
                "switches_per_second": round(each.switches / over),
            }
            for name, each in sorted(differences.items(), key=lambda item: -item[1].seconds)
        },
    }


@contextmanager
def stack_of_its_own(settle: float) -> Iterator[StackRecord]:
    with tempfile.TemporaryDirectory() as folder, running_platform(Path(folder) / "home") as platform:
        loaded = platform.paideia("load", "fractions")
        if loaded.returncode:
            raise SystemExit(loaded.stderr)
        time.sleep(settle)
        yield Platform(platform.home).record


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--settle", type=float, default=30, help="seconds after the start before measuring")
    parser.add_argument("--home", type=Path, help="of a stack that runs, instead of one of its own")
    arguments = parser.parse_args()
    if arguments.home is not None:
        if (record := read_record(Home(arguments.home.resolve()).record)) is None:
            parser.error(f"no stack runs in {arguments.home}")
        told = measured(record, arguments.seconds)
    else:
        with stack_of_its_own(arguments.settle) as record:
            told = measured(record, arguments.seconds)
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
