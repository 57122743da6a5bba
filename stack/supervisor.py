"""Starts the parts in order, keeps each of them running, and stops them in the opposite order."""

import asyncio
import contextlib
import fcntl
import graphlib
import os
import signal
import time
from collections.abc import Iterator, Sequence

from stack.home import Home
from stack.log_files import PartLog
from stack.part import Part
from stack.processes import owner_of, port_taken, stop_all
from stack.record import StackRecord, read_record
from stack.supervised import Pace, SupervisedPart

_TRIES_BEFORE_READY = 6
ORPHAN_GRACE_SECONDS = 30.0


class StackFailed(Exception):
    """The stack cannot run, for the reason in its text."""


class AlreadyRunning(StackFailed):
    """Another supervisor holds this directory."""


class Supervisor:
    """Runs parts until told to stop. A crash of one is healed without touching the others, who must live with its absence for a while."""

    def __init__(
        self, parts: Sequence[Part], home: Home, record: StackRecord, start_seconds: float = 180, pace: Pace | None = None
    ) -> None:
        """Raises ValueError when parts wait for each other in a circle, or for one that is not there."""
        names = {part.name for part in parts}
        for part in parts:
            if unknown := set(part.after) - names:
                raise ValueError(f"{part.name} waits for {', '.join(sorted(unknown))}, which is not part of the stack")
        tuple(graphlib.TopologicalSorter({part.name: part.after for part in parts}).static_order())
        self._home = home
        self._record = record
        self._start_seconds = start_seconds
        self._stop = asyncio.Event()
        self._change = asyncio.Event()
        self._log = PartLog(home.log("supervisor"), "supervisor")
        self._parts: dict[str, SupervisedPart] = {}
        for part in parts:
            log = PartLog(home.log(part.name), part.name)
            self._parts[part.name] = SupervisedPart(part, log, self._changed, pace or Pace())
        record.parts = {name: each.record for name, each in self._parts.items()}

    async def run(self) -> None:
        """Returns after a clean stop. Raises StackFailed when a part does not become ready in time; then, too, nothing is left running."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop.set)
        self._write("starting")
        running = [asyncio.create_task(self._run_in_turn(each)) for each in self._parts.values()]
        failure: StackFailed | None = None
        try:
            await self._until_ready()
            await self._until_stopped()
        except StackFailed as error:
            failure = error
            self._log.say(str(error), level="error")
        finally:
            self._write("stopping")
            await self._stop_in_turn()
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            self._record.error = str(failure or "")
            self._write("failed" if failure else "stopped")
            for each in self._parts.values():
                each.close()
            self._log.close()
        if failure:
            raise failure

    def stop(self) -> None:
        self._stop.set()

    async def _run_in_turn(self, each: SupervisedPart) -> None:
        for name in each.part.after:
            await self._parts[name].ready.wait()
        await each.run()

    async def _until_ready(self) -> None:
        began = time.monotonic()
        while not (self._stop.is_set() or self._all_ready()):
            for name, each in self._parts.items():
                if each.failures_before_ready >= _TRIES_BEFORE_READY:
                    raise StackFailed(f"{name} does not start: it {each.record.error}; see {self._home.log(name)}")
            if time.monotonic() - began > self._start_seconds:
                late = next(name for name, each in self._parts.items() if not each.ready.is_set())
                raise StackFailed(f"{late} was not ready after {self._start_seconds:.0f} s; see {self._home.log(late)}")
            await self._next_change()
        if not self._stop.is_set():
            self._log.say("everything is ready", seconds=round(time.monotonic() - began, 2))

    async def _until_stopped(self) -> None:
        while not self._stop.is_set():
            self._write("ready" if self._all_ready() else "degraded")
            await self._next_change()

    async def _next_change(self) -> None:
        """Returns when a part changed, a stop was asked for, or a second passed."""
        waiting = [asyncio.create_task(event.wait()) for event in (self._change, self._stop)]
        await asyncio.wait(waiting, timeout=1, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        self._change.clear()

    async def _stop_in_turn(self) -> None:
        gone = {name: asyncio.Event() for name in self._parts}

        async def stop(name: str) -> None:
            for other in self._parts.values():
                if name in other.part.after:
                    await gone[other.part.name].wait()
            await self._parts[name].stop()
            gone[name].set()

        await asyncio.gather(*(stop(name) for name in self._parts))

    def _all_ready(self) -> bool:
        return all(each.ready.is_set() for each in self._parts.values())

    def _changed(self) -> None:
        self._change.set()
        self._record.write(self._home.record)

    def _write(self, state: str) -> None:
        if self._record.state != state:
            self._log.say(f"the stack is {state}")
            self._record.state = state
            self._record.write(self._home.record)


@contextlib.contextmanager
def only_supervisor(home: Home) -> Iterator[None]:
    """Holds the directory for this process; the kernel lets go when it dies, however it dies. Raises AlreadyRunning."""
    with home.lock.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"a stack runs in {home.path} already") from None
        yield


def stop_orphans(home: Home) -> int:
    """Stops what a killed supervisor left running, and returns how many processes that were."""
    record = read_record(home.record)
    left = [each for each in record.parts.values() if each.process and each.process.alive] if record else []
    stop_all([(each.process, signal.Signals(each.stop_signal)) for each in left if each.process], ORPHAN_GRACE_SECONDS)
    return len(left)


def check_ports(parts: Sequence[Part], base: int) -> None:
    """Raises StackFailed naming the first port that somebody else has."""
    for part in parts:
        for purpose, port in part.ports.items():
            if port_taken(port):
                who = owner_of(port)
                raise StackFailed(
                    f"port {port} ({purpose}) is taken{f' by {who}' if who else ''}: "
                    f"stop that, or choose other ports: paideia up --port-base {base + 1000}"
                )


def new_record(home: Home, url: str, organization: str, admin: str, addresses: dict[str, str]) -> StackRecord:
    from stack.processes import ProcessId

    own = ProcessId.of(os.getpid())
    return StackRecord(
        state="new",
        home=str(home.path),
        url=url,
        organization=organization,
        admin=admin,
        admin_password_file=str(home.secrets / "admin_password"),
        supervisor_pid=os.getpid(),
        supervisor_birth=own.birth if own else "",
        addresses=addresses,
    )
